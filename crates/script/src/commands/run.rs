//! Running a script or function as a unit of the engine.
//!
//! What has touched nothing but its declared keys so far runs with their stripes held; everything else, and what runs
//! for the first time, with all stripes held.

use crate::cache::{Learnt, Reach, Script};
use crate::header::Flags;
use crate::host::{Call, Name, UnitHost};
use crate::library::Found;
use crate::vm::{Ended, Own, ScriptError, Vm};
use ochre_ds::int::parse_i64;
use ochre_engine::error::CommandError;
use ochre_engine::exec::{Ids, UnitCx};
use ochre_engine::keyspace::StripeId;
use ochre_engine::spec::Outcome;
use ochre_resp::Request;

/// What is to be run.
pub(super) enum Program<'a> {
    Script(&'a Own<Script>),
    Function(Found<'a>),
}

impl Program<'_> {
    fn flags(&self) -> Flags {
        match self {
            Program::Script(script) => script.flags,
            Program::Function(found) => found.function().flags,
        }
    }

    fn name(&self) -> Name<'_> {
        match self {
            Program::Script(script) => Name::Script(&script.sha),
            Program::Function(found) => Name::Function(&found.function().name),
        }
    }

    fn learnt(&self) -> &Learnt {
        match self {
            Program::Script(script) => &script.reach,
            Program::Function(found) => &found.library.reach[found.index],
        }
    }
}

/// The number of keys that a request announces.
pub(super) fn count(request: Request<'_>, malformed: CommandError) -> Result<usize, CommandError> {
    let count = parse_i64(&request[2]).ok_or(malformed)?;
    if i64::try_from(request.len() - 3).is_ok_and(|most| count > most) {
        return Err(CommandError::NUMKEYS_MANY);
    }
    usize::try_from(count).map_err(|_| CommandError::NUMKEYS_NEGATIVE)
}

/// Runs `program` with the first `keys` arguments after the count as its keys.
pub(super) fn execute(
    cx: &mut UnitCx<'_, '_>,
    vm: &mut Vm,
    request: Request<'_>,
    program: &Program<'_>,
    keys: usize,
    read_only: bool,
) -> Outcome {
    let engine = cx.env.engine;
    let flags = program.flags();
    let oom = engine.memory.is_limited() && !cx.nested() && !engine.make_room();
    let compatible = flags.has(Flags::UNDECLARED);
    let may_oom = flags.has(Flags::ALLOW_OOM) || flags.has(Flags::NO_WRITES);
    if oom && !compatible && !may_oom {
        return Err(CommandError::OOM);
    }
    let call = Call {
        name: program.name(),
        request,
        flags,
        read_only: read_only || flags.has(Flags::NO_WRITES),
        oom,
    };
    let mut declared: Ids = request
        .iter()
        .skip(3)
        .take(keys)
        .map(|key| cx.stripe_of(key))
        .collect();
    declared.sort_unstable();
    declared.dedup();
    cx.begin_script();
    let db = cx.env.db;
    let mut everything = program.learnt().get() != Reach::Declared;
    loop {
        if everything {
            cx.hold_everything()?;
        } else {
            cx.hold(declared.clone())?;
        }
        let learning = everything.then_some(&declared[..]);
        let (again, outcome) = once(cx, vm, call, program, keys, learning);
        cx.select(db);
        if !again {
            return outcome;
        }
        cx.release();
        everything = true;
    }
}

/// Runs the program once. Whether it has to run again, and what came of it otherwise.
fn once(
    cx: &mut UnitCx<'_, '_>,
    vm: &mut Vm,
    call: Call<'_>,
    program: &Program<'_>,
    keys: usize,
    learning: Option<&[StripeId]>,
) -> (bool, Outcome) {
    let mut out = std::mem::take(cx.out);
    let reply = std::mem::take(&mut vm.reply);
    let request = call.request;
    let mut host = UnitHost::new(cx, call, learning, reply);
    let mut keys_list = request.tail(3).iter().take(keys);
    let mut args_list = request.tail(3 + keys).iter();
    let lists: (crate::vm::List<'_>, crate::vm::List<'_>) = (&mut keys_list, &mut args_list);
    let ended = match program {
        Program::Script(script) => vm.eval(script, lists, &mut host, &mut out),
        Program::Function(found) => {
            let function = &found.function().name;
            vm.call((found.library, function), lists, &mut host, &mut out)
        }
    };
    let again = host.again;
    if !again {
        program.learnt().learn(host.reach, learning.is_some());
    }
    vm.reply = host.take_reply();
    drop(host);
    let outcome = match ended {
        Ok(()) => Ok(()),
        Err(Ended {
            text,
            counted: false,
        }) => Err(CommandError::new(text)),
        // The command's failure was counted when it failed.
        Err(Ended {
            text,
            counted: true,
        }) => {
            out.error(text);
            cx.failed(None);
            Ok(())
        }
    };
    *cx.out = out;
    (again, if again { Ok(()) } else { outcome })
}

impl From<ScriptError> for Ended {
    fn from(text: ScriptError) -> Ended {
        Ended {
            text,
            counted: false,
        }
    }
}
