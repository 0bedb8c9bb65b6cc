//! What a miner is judged by.

/// A thing that a miner must do or not do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Check {
    /// A miner came at all.
    Came,
    /// It works again after the last fault.
    Mines,
    /// It comes back after its connection ended.
    ComesBack,
    /// It does not come back too often.
    Patience,
    /// It leaves a job that is void.
    VoidJobs,
    /// It sends no share of a session that it lost.
    OldSessions,
    /// Its shares are of jobs that it was given.
    KnownJobs,
    /// No share that was answered comes once more.
    Duplicates,
    /// A new extranonce1 holds from the next job on, if it asked for such.
    Extranonce,
    /// A new difficulty holds from the next job on.
    Difficulty,
    /// Version bits stay within the mask.
    Mask,
    /// A share's time is the job's, or up to 7,000 s later.
    Time,
    /// Its hashes are right.
    Hashes,
    /// Extranonce2 has the size that the pool said.
    Extranonce2,
    /// It subscribes and authorizes before it sends shares.
    Joining,
    /// What it says can be read.
    Lines,
    /// It answers the pool's calls.
    Answers,
    /// It answers once.
    AnswersOnce,
    /// It goes to no other domain, whoever sends it there.
    Domain,
}

impl Check {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Check; 19] = [
        Check::Came,
        Check::Mines,
        Check::ComesBack,
        Check::Patience,
        Check::VoidJobs,
        Check::OldSessions,
        Check::KnownJobs,
        Check::Duplicates,
        Check::Extranonce,
        Check::Difficulty,
        Check::Mask,
        Check::Time,
        Check::Hashes,
        Check::Extranonce2,
        Check::Joining,
        Check::Lines,
        Check::Answers,
        Check::AnswersOnce,
        Check::Domain,
    ];

    /// A word for programs.
    pub fn name(self) -> &'static str {
        match self {
            Check::Came => "came",
            Check::Mines => "mines-again",
            Check::ComesBack => "comes-back",
            Check::Patience => "patience",
            Check::VoidJobs => "void-jobs",
            Check::OldSessions => "old-sessions",
            Check::KnownJobs => "known-jobs",
            Check::Duplicates => "duplicates",
            Check::Extranonce => "extranonce",
            Check::Difficulty => "difficulty",
            Check::Mask => "mask",
            Check::Time => "time",
            Check::Hashes => "hashes",
            Check::Extranonce2 => "extranonce2",
            Check::Joining => "joining",
            Check::Lines => "lines",
            Check::Answers => "answers",
            Check::AnswersOnce => "answers-once",
            Check::Domain => "domain",
        }
    }

    /// What is to be done about it.
    pub fn advice(self) -> &'static str {
        match self {
            Check::Came => "point the miner at the pool's address, and let it run until the scenario's end",
            Check::Mines => "after a fault, go on with the last job, or join anew",
            Check::ComesBack => "join anew when a connection ends, with pauses of a few seconds at most",
            Check::Patience => "pause before each attempt to join, longer after each that failed",
            Check::VoidJobs => "with clean_jobs, drop all older jobs, and the shares of them that are not sent yet",
            Check::OldSessions => "when subscribe gives another extranonce1, drop all jobs and shares from before",
            Check::KnownJobs => "send the job's id as the pool sent it",
            Check::Duplicates => "send each share once; roll extranonce2, time or version before a nonce comes again",
            Check::Extranonce => "build the coinbase of jobs after mining.set_extranonce with what that said",
            Check::Difficulty => "judge shares of jobs after mining.set_difficulty by what that said",
            Check::Mask => {
                "of jobs after mining.set_version_mask or mining.set_version, roll only the bits that it names"
            }
            Check::Time => "begin with the job's ntime, not with a clock of your own, and go at most 7,000 s beyond it",
            Check::Hashes => "hash the header once more on the CPU before a share is sent",
            Check::Extranonce2 => "send as many bytes of extranonce2 as subscribe or mining.set_extranonce said",
            Check::Joining => "subscribe and authorize on each connection before shares are sent",
            Check::Lines => "send one JSON object a line, with the parameters that its method has",
            Check::Answers => {
                "answer client.get_version with the agent and mining.ping with \"pong\", under the call's id"
            }
            Check::AnswersOnce => "answer each call once",
            Check::Domain => "follow client.reconnect only to the same host or within its domain",
        }
    }
}
