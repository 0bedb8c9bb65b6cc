//! Arguments for what speaks Stratum V2.

use super::ports::PortArgs;
use super::seconds;
use clap::Args;
use midstate_stratum::v2::Authority;
use pool_sim::authority::{AuthorityFileError, read_or_make};
use pool_sim::node::templates::TemplatesConfig;
use pool_sim::pool::{Port, PortError, PortText};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

#[derive(Args)]
pub(super) struct Sv2Args {
    /// Where miners of Stratum V2 connect, with settings as for --listen; may be given several times
    #[arg(long, value_name = "ADDRESS[,SETTING…]", value_parser = PortText::parse, conflicts_with = "played")]
    listen_v2: Vec<PortText>,
    /// Where other pools have templates of the node, by the template distribution protocol of Stratum V2
    #[arg(long, value_name = "ADDRESS")]
    listen_templates: Option<SocketAddr>,
    /// The authority's secret, in base58 with a checksum; made if it is not there [default: authority in the data dir]
    #[arg(long, env = "POOL_SIM_SV2_AUTHORITY_FILE", value_name = "FILE")]
    sv2_authority_file: Option<PathBuf>,
    /// How long a connection's certificate holds
    #[arg(long, value_name = "SECONDS", default_value = "3600", value_parser = seconds)]
    sv2_certificate_validity: Duration,
}

impl Sv2Args {
    /// The ports for miners of V2: each what all ports have in common, but for what it says itself. Nobody certifies them yet.
    pub(super) fn ports(&self, common: &PortArgs, start: &str) -> Result<Vec<Port>, PortError> {
        let ports = common.over(&self.listen_v2, start)?;
        if ports.iter().any(|port| port.password.is_some()) {
            let expected = "none, as Stratum V2 has no passwords: whoever comes to such a port may mine".to_owned();
            return Err(PortError { field: "password", value: "a text".to_owned(), expected });
        }
        Ok(ports)
    }

    /// Who vouches for what speaks Stratum V2, if anything is to.
    pub(super) fn authority(&self, data_dir: &Path) -> Result<Option<Authority>, AuthorityFileError> {
        if self.listen_v2.is_empty() && self.listen_templates.is_none() {
            return Ok(None);
        }
        let default = || data_dir.join("authority");
        let mut authority = read_or_make(&self.sv2_authority_file.clone().unwrap_or_else(default))?;
        authority.validity = self.sv2_certificate_validity;
        Ok(Some(authority))
    }

    /// The template server, if there is to be one.
    pub(super) fn templates(&self, authority: Option<&Authority>) -> Option<TemplatesConfig> {
        let (listen, authority) = self.listen_templates.zip(authority)?;
        Some(TemplatesConfig { listen, authority: authority.clone() })
    }
}

/// What miners are given to paste.
pub(super) fn url(address: SocketAddr, authority: &Authority) -> String {
    format!("stratum2+tcp://{address}/{}", authority.key())
}
