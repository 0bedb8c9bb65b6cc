//! What is in force for one pool or node.

use super::{From, Layer, NO_PASSWORD, Origin, Resolver, SettingsError, path, text};
use crate::cli::settings::{environment, flag};
use midstate::config::{PoolConfig, Secret, SourceUrl, Table};
#[cfg(feature = "v2")]
use midstate::upstream::{ChannelKind, Device, PoolUrl, Protocol, V2Error};
use midstate::upstream::{Credentials, Pool, Source, Trust};
#[cfg(feature = "solo")]
use midstate::upstream::{Login, Node};
use midstate_stratum::Difficulty;
use serde_json::{Value, json};

#[cfg(feature = "solo")]
const TAG: &str = "/midstate/";

/// The settings of one pool.
pub(super) struct OfPool<'r, 'a, 'l> {
    pub resolver: &'r mut Resolver<'a>,
    /// Its index.
    pub pool: usize,
    /// The first that says something counts.
    pub layers: &'l [Layer],
}

impl OfPool<'_, '_, '_> {
    /// A setting; `default` is what is shown where no layer says it.
    fn take<T: Clone>(
        &mut self,
        setting: &'static str,
        get: impl Fn(&PoolConfig) -> Option<&T>,
        show: impl Fn(&T) -> Value,
        default: Value,
    ) -> Option<T> {
        let found = self.layers.iter().find_map(|layer| Some((layer.from, get(&layer.says)?.clone())));
        let (value, origin) = match found {
            Some((from, value)) => (Some(value), self.resolver.origin(from, setting)),
            None => (None, Origin::Default),
        };
        let shown = value.as_ref().map_or(default, show);
        self.resolver.explain(Table::Pool(self.pool), setting, shown, origin);
        value
    }

    /// Of two settings that say the same in two ways, the way that counts: that of the first layer that says either.
    fn either(
        &self,
        first: (&'static str, fn(&PoolConfig) -> bool),
        second: (&'static str, fn(&PoolConfig) -> bool),
    ) -> Result<bool, SettingsError> {
        for layer in self.layers {
            match (first.1(&layer.says), second.1(&layer.says)) {
                (true, true) => {
                    let name = |setting| match layer.from {
                        From::Environment => environment(setting),
                        _ => flag(setting),
                    };
                    return Err(SettingsError::Both { first: name(first.0), second: name(second.0) });
                }
                (false, false) => {}
                (first, _) => return Ok(first),
            }
        }
        Ok(true)
    }

    fn trust(&mut self) -> Result<Trust, SettingsError> {
        let fingerprint = ("tls_fingerprint", (|pool| pool.tls_fingerprint.is_some()) as fn(&PoolConfig) -> bool);
        if self.either(fingerprint, ("tls_ca", |pool| pool.tls_ca.is_some()))? {
            let fingerprint = self.take("tls_fingerprint", |pool| pool.tls_fingerprint.as_ref(), text, Value::Null);
            Ok(fingerprint.map_or(Trust::System, Trust::Fingerprint))
        } else {
            let Some(path) = self.take("tls_ca", |pool| pool.tls_ca.as_ref(), path, Value::Null) else {
                return Ok(Trust::System);
            };
            let trust = Trust::authorities(&path)?;
            self.resolver.behind(format!("{trust:?}").into());
            Ok(trust)
        }
    }

    /// Whether a pool may be joined that nobody vouches for.
    #[cfg(feature = "v2")]
    fn insecure(&mut self, url: &PoolUrl) -> Result<bool, SettingsError> {
        let yes = self.take("sv2_insecure", |pool| pool.sv2_insecure.as_ref(), |yes| json!(yes), json!(false));
        match url.protocol {
            Protocol::V2 { authority: None } if yes != Some(true) => Err(V2Error::NoAuthority(url.to_string()).into()),
            _ => Ok(yes.unwrap_or_default()),
        }
    }

    /// What a pool is told of the device.
    #[cfg(feature = "v2")]
    fn device(&mut self) -> Device {
        let Device { vendor, hardware, firmware, id } = Device::default();
        let mut take = |setting, get: fn(&PoolConfig) -> Option<&String>, default: String| {
            self.take(setting, get, text, json!(default)).unwrap_or(default)
        };
        Device {
            vendor: take("device_vendor", |pool| pool.device_vendor.as_ref(), vendor),
            hardware: take("device_hardware", |pool| pool.device_hardware.as_ref(), hardware),
            firmware: take("device_firmware", |pool| pool.device_firmware.as_ref(), firmware),
            id: take("device_id", |pool| pool.device_id.as_ref(), id),
        }
    }

    fn password(&mut self) -> Result<String, SettingsError> {
        let itself = ("password", (|pool| pool.password.is_some()) as fn(&PoolConfig) -> bool);
        let password = if self.either(itself, ("password_file", |pool| pool.password_file.is_some()))? {
            self.take("password", |pool| pool.password.as_ref(), |_| json!("(hidden)"), json!(NO_PASSWORD))
        } else {
            let path = self.take("password_file", |pool| pool.password_file.as_ref(), path, Value::Null);
            path.map(|path| match std::fs::read_to_string(&path) {
                Ok(text) => Ok(Secret::from(text.lines().next().unwrap_or_default().to_owned())),
                Err(source) => Err(SettingsError::PasswordFile { path, source }),
            })
            .transpose()?
        };
        let Some(password) = password else { return Ok(NO_PASSWORD.to_owned()) };
        self.resolver.behind(password.clone());
        let text = password.reveal().to_owned();
        self.resolver.passwords.push(password);
        Ok(text)
    }

    /// The pool or node itself; `None` where no layer says where it is.
    pub(super) fn source(&mut self) -> Result<Option<Source>, SettingsError> {
        let Some(url) = self.take("url", |pool| pool.url.as_ref(), text, Value::Null) else { return Ok(None) };
        let user = self.take("user", |pool| pool.user.as_ref(), text, Value::Null);
        let quota = self.take("quota", |pool| pool.quota.as_ref(), |quota| json!(quota.get()), Value::Null);
        let source = match url {
            SourceUrl::Pool(url) => {
                let user = user.ok_or_else(|| SettingsError::NoUser(url.to_string()))?;
                let password = self.password()?;
                let number = |difficulty: &Difficulty| json!(difficulty.get());
                let pool = Pool {
                    quota,
                    trust: self.trust()?,
                    #[cfg(feature = "v2")]
                    sv2_insecure: self.insecure(&url)?,
                    #[cfg(feature = "v2")]
                    sv2_channel: self
                        .take("sv2_channel", |pool| pool.sv2_channel.as_ref(), text, json!("extended"))
                        .unwrap_or_default(),
                    #[cfg(feature = "v2")]
                    channels: self
                        .take("channels", |pool| pool.channels.as_ref(), |count| json!(count.get()), json!(1))
                        .unwrap_or_default(),
                    #[cfg(feature = "v2")]
                    nominal_hashrate: self.take(
                        "nominal_hashrate",
                        |pool| pool.nominal_hashrate.as_ref(),
                        text,
                        Value::Null,
                    ),
                    #[cfg(feature = "v2")]
                    device: self.device(),
                    trace_messages: self
                        .take("trace_messages", |pool| pool.trace_messages.as_ref(), |yes| json!(yes), json!(false))
                        .unwrap_or_default(),
                    socks5: self.take("socks5", |pool| pool.socks5.as_ref(), text, Value::Null),
                    suggest_difficulty: self.take(
                        "suggest_difficulty",
                        |pool| pool.suggest_difficulty.as_ref(),
                        number,
                        Value::Null,
                    ),
                    minimum_difficulty: self.take(
                        "minimum_difficulty",
                        |pool| pool.minimum_difficulty.as_ref(),
                        number,
                        Value::Null,
                    ),
                    #[cfg(feature = "payout")]
                    verify_payout: self.take("verify_payout", |pool| pool.verify_payout.as_ref(), text, Value::Null),
                    #[cfg(feature = "payout")]
                    strict: self
                        .take("strict", |pool| pool.strict.as_ref(), |strict| json!(strict), json!(false))
                        .unwrap_or_default(),
                    ..Pool::new(url, Credentials { user, password })
                };
                #[cfg(feature = "v2")]
                if matches!(pool.url.protocol, Protocol::V2 { .. })
                    && pool.sv2_channel == ChannelKind::Standard
                    && pool.verify_payout.is_some()
                {
                    return Err(SettingsError::Unverifiable);
                }
                Source::Pool(pool)
            }
            #[cfg(feature = "solo")]
            SourceUrl::Node(url) => {
                let cookie = self.take("rpc_cookie", |pool| pool.rpc_cookie.as_ref(), path, Value::Null);
                let login = match (cookie, user) {
                    (Some(path), _) => Login::Cookie(path),
                    (None, Some(user)) => Login::Password { user, password: self.password()? },
                    (None, None) => return Err(SettingsError::NoLogin(url.to_string())),
                };
                let show = |address: &bitcoin::Address<_>| text(address.assume_checked_ref());
                let pay_to = self.take("pay_to", |pool| pool.pay_to.as_ref(), show, Value::Null);
                let pay_to = pay_to.ok_or_else(|| SettingsError::NoPayTo(url.to_string()))?;
                let tag = self.take("tag", |pool| pool.tag.as_ref(), text, json!(TAG));
                let tag = tag.unwrap_or_else(|| TAG.to_owned()).into_bytes();
                let zmq = self.take("zmq", |pool| pool.zmq.as_ref(), text, Value::Null);
                Source::Node(Node { url, login, pay_to, tag, quota, zmq })
            }
        };
        Ok(Some(source))
    }
}
