//! What threads leave to others. Where a system refuses, or has no such thing, they stay as they are.

/// Lets others go before this thread, by so many steps.
pub(crate) fn step_back(steps: i32) {
    #[cfg(target_os = "linux")]
    let _ = rustix::process::nice(steps);
    #[cfg(not(target_os = "linux"))]
    let _ = steps;
}

/// Lets this thread run where nobody else wants to: others take its processor from it at once, and not at the next tick.
pub(crate) fn idle() {
    #[cfg(target_os = "linux")]
    {
        // SAFETY: it has integers only, of which zeros are some; zero is the one priority that this policy has.
        let priority: libc::sched_param = unsafe { std::mem::zeroed() };
        // SAFETY: the pointer is to what stands above and is read during the call; 0 is the calling thread.
        let _ = unsafe { libc::sched_setscheduler(0, libc::SCHED_IDLE, &raw const priority) };
    }
}
