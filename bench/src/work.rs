//! Which work is whose scenario. Called by `load`.

use crate::error::LoadError;
use crate::outcome::Outcome;
use crate::plan::{Plan, WARM_CLIENTS};
use crate::scenario::Scenario;
use crate::{
    binary, broadcast, connect, heartbeat, http, idle, join, latency, memory, round_trip, slow, sys,
};

/// Runs the scenario against the server.
pub fn run(plan: &Plan) -> Result<Outcome, LoadError> {
    check_file_limit(plan)?;
    let mut outcome = match plan.case.scenario {
        Scenario::Idle => idle::run(plan),
        Scenario::BcastPaced => broadcast::paced(plan),
        Scenario::Bcast32 => broadcast::in_flight(plan, 32),
        Scenario::Rooms => broadcast::rooms(plan),
        Scenario::Echo => round_trip::echo(plan),
        Scenario::Ack => round_trip::ack(plan),
        Scenario::Polling => http::polling(plan),
        Scenario::Connect => connect::run(plan),
        Scenario::Binary => binary::run(plan),
        Scenario::Latency => latency::run(plan),
        Scenario::Slow => slow::run(plan),
        Scenario::Join => join::run(plan),
        Scenario::Heartbeat => heartbeat::run(plan),
        Scenario::Burst => memory::burst(plan),
        Scenario::Gone => memory::gone(plan),
        Scenario::Route => http::route(plan),
    }?;
    outcome.scenario = plan.case.to_string();
    Ok(outcome)
}

fn check_file_limit(plan: &Plan) -> Result<(), LoadError> {
    let allowed = sys::raise_file_limit().map_err(|e| LoadError::Io("file limit", e))?;
    let needed = plan.case.clients + plan.case.bystanders + WARM_CLIENTS + 16;
    if needed > allowed {
        return Err(LoadError::FileLimit { needed, allowed });
    }
    Ok(())
}
