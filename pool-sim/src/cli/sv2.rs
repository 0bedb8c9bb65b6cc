//! Arguments for what speaks Stratum V2.

use super::seconds;
use clap::Args;
use midstate_stratum::v2::Authority;
use pool_sim::authority::{AuthorityFileError, read_or_make};
use pool_sim::node::templates::TemplatesConfig;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

#[derive(Args)]
pub(super) struct Sv2Args {
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
    /// The template server, if there is to be one.
    pub(super) fn templates(&self, data_dir: &Path) -> Result<Option<TemplatesConfig>, AuthorityFileError> {
        let config = |listen| Ok(TemplatesConfig { listen, authority: self.authority(data_dir)? });
        self.listen_templates.map(config).transpose()
    }

    fn authority(&self, data_dir: &Path) -> Result<Authority, AuthorityFileError> {
        let default = || data_dir.join("authority");
        let mut authority = read_or_make(&self.sv2_authority_file.clone().unwrap_or_else(default))?;
        authority.validity = self.sv2_certificate_validity;
        Ok(authority)
    }
}
