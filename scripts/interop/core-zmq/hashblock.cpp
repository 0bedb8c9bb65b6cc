// Each new tip over libzmq's PUB socket, in the three frames that contrib/zmq/zmq_sub.py reads: the topic, the hash as people write
// it, and a little-endian count of the topic's messages. It hangs where Bitcoin Core's own does: on UpdatedBlockTip.
#include <zmq/zmqnotificationinterface.h>

#include <chain.h>
#include <common/args.h>
#include <rpc/server.h>
#include <rpc/util.h>
#include <uint256.h>
#include <univalue.h>

#include <zmq.h>

#include <algorithm>
#include <array>

std::unique_ptr<CZMQNotificationInterface> g_zmq_notification_interface;

std::unique_ptr<CZMQNotificationInterface> CZMQNotificationInterface::Create(std::function<bool(std::vector<std::byte>&, const CBlockIndex&)>)
{
    const std::string address{gArgs.GetArg("-zmqpubhashblock", "")};
    if (address.empty()) return nullptr;
    void* context{zmq_ctx_new()};
    void* socket{zmq_socket(context, ZMQ_PUB)};
    const int none{0};
    zmq_setsockopt(socket, ZMQ_LINGER, &none, sizeof(none));
    if (zmq_bind(socket, address.c_str()) != 0) {
        zmq_close(socket);
        zmq_ctx_term(context);
        return nullptr;
    }
    return std::unique_ptr<CZMQNotificationInterface>{new CZMQNotificationInterface{address, context, socket}};
}

CZMQNotificationInterface::~CZMQNotificationInterface()
{
    zmq_close(socket);
    zmq_ctx_term(context);
}

void CZMQNotificationInterface::UpdatedBlockTip(const CBlockIndex* tip, const CBlockIndex* fork, bool initial_download)
{
    if (initial_download || tip == fork) return;
    std::array<unsigned char, 32> hash;
    const uint256 internal{tip->GetBlockHash()};
    std::reverse_copy(internal.begin(), internal.end(), hash.begin());
    const std::array<unsigned char, 4> count{static_cast<unsigned char>(sequence), static_cast<unsigned char>(sequence >> 8),
                                             static_cast<unsigned char>(sequence >> 16), static_cast<unsigned char>(sequence >> 24)};
    zmq_send(socket, "hashblock", 9, ZMQ_SNDMORE);
    zmq_send(socket, hash.data(), hash.size(), ZMQ_SNDMORE);
    zmq_send(socket, count.data(), count.size(), 0);
    ++sequence;
}

static RPCMethod getzmqnotifications()
{
    return RPCMethod{
        "getzmqnotifications", "What is published, and where.\n", {},
        RPCResult{RPCResult::Type::ARR, "", "", {{RPCResult::Type::OBJ, "", "", {
            {RPCResult::Type::STR, "type", "pubhashblock"},
            {RPCResult::Type::STR, "address", "Where"},
            {RPCResult::Type::NUM, "hwm", "How many messages wait for a slow subscriber"}}}}},
        RPCExamples{HelpExampleCli("getzmqnotifications", "")},
        [](const RPCMethod&, const JSONRPCRequest&) -> UniValue {
            UniValue all{UniValue::VARR};
            if (g_zmq_notification_interface) {
                UniValue one{UniValue::VOBJ};
                one.pushKV("type", "pubhashblock");
                one.pushKV("address", g_zmq_notification_interface->address);
                one.pushKV("hwm", CZMQAbstractNotifier::DEFAULT_ZMQ_SNDHWM);
                all.push_back(std::move(one));
            }
            return all;
        }};
}

void RegisterZMQRPCCommands(CRPCTable& table)
{
    static const CRPCCommand command{"zmq", &getzmqnotifications};
    table.appendCommand(command.name, &command);
}
