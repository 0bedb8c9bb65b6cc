// What Bitcoin Core's init.cpp wants of its src/zmq, which the source on crates.io leaves out: `hashblock` alone, by libzmq.
#ifndef BITCOIN_ZMQ_ZMQNOTIFICATIONINTERFACE_H
#define BITCOIN_ZMQ_ZMQNOTIFICATIONINTERFACE_H

#include <validationinterface.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

class CBlockIndex;
class CRPCTable;

struct CZMQAbstractNotifier {
    static constexpr int DEFAULT_ZMQ_SNDHWM{1000};
};

// A PUB socket that says each new tip.
class CZMQNotificationInterface final : public CValidationInterface
{
public:
    // None where no address is given, or the first cannot be listened on.
    static std::unique_ptr<CZMQNotificationInterface> Create(std::function<bool(std::vector<std::byte>&, const CBlockIndex&)>);
    ~CZMQNotificationInterface();

    const std::string address;

protected:
    void UpdatedBlockTip(const CBlockIndex* tip, const CBlockIndex* fork, bool initial_download) override;

private:
    CZMQNotificationInterface(std::string address, void* context, void* socket) : address{std::move(address)}, context{context}, socket{socket} {}

    void* context;
    void* socket;
    uint32_t sequence{0};
};

extern std::unique_ptr<CZMQNotificationInterface> g_zmq_notification_interface;

// Adds `getzmqnotifications`.
void RegisterZMQRPCCommands(CRPCTable& table);

#endif // BITCOIN_ZMQ_ZMQNOTIFICATIONINTERFACE_H
