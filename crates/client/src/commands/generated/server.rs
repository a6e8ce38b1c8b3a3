// Written from the command table; `OCHRE_BLESS=1 cargo test -p ochre-testkit --test client_commands` writes it anew.
//! Commands of the group `server`.

use crate::arg::Arg;
use crate::call::Call;
use crate::commands::declare;
use crate::value::Value;

declare! {
    /// Lists the categories, or the commands of one.
    ///
    /// `ACL CAT [category]`
    ///
    /// Since 6.0.0. O(1) since the categories and commands are a fixed set.
    everywhere acl_cat AclCat ["ACL", "CAT"]
    () -> Vec<String>;
    call => call.gap(0)
}

impl<E, R> Call<E, AclCat, R> {
    /// `category`
    pub fn category(self, category: impl Arg) -> Self {
        self.option(0, |r| {
            category.add_to(r);
        })
    }
}

declare! {
    /// Deletes users and closes their connections.
    ///
    /// `ACL DELUSER username [username ...]`
    ///
    /// Since 6.0.0. O(1) amortized time considering the typical user.
    everywhere acl_deluser AclDeluser ["ACL", "DELUSER"]
    (username: impl IntoIterator<Item = impl Arg>) -> i64;
    call => call.with_all(username)
}

declare! {
    /// Says whether a user may make a request, without making it.
    ///
    /// `ACL DRYRUN username command [arg [arg ...]]`
    ///
    /// Since 7.0.0. O(1).
    everywhere acl_dryrun AclDryrun ["ACL", "DRYRUN"]
    (username: impl Arg, command: impl Arg) -> Value;
    call => call.with(username).with(command).gap(0)
}

impl<E, R> Call<E, AclDryrun, R> {
    /// `arg [arg ...]`
    pub fn args(self, arg: impl IntoIterator<Item = impl Arg>) -> Self {
        self.option(0, |r| {
            for one in arg {
                one.add_to(r);
            }
        })
    }
}

declare! {
    /// Returns a password that nobody can guess.
    ///
    /// `ACL GENPASS [bits]`
    ///
    /// Since 6.0.0. O(1).
    everywhere acl_genpass AclGenpass ["ACL", "GENPASS"]
    () -> String;
    call => call.gap(0)
}

impl<E, R> Call<E, AclGenpass, R> {
    /// `bits`
    pub fn bits(self, bits: i64) -> Self {
        self.option(0, |r| {
            bits.add_to(r);
        })
    }
}

declare! {
    /// Returns the rules of a user.
    ///
    /// `ACL GETUSER username`
    ///
    /// Since 6.0.0. O(N). Where N is the number of password, command and pattern rules that the user has.
    everywhere acl_getuser AclGetuser ["ACL", "GETUSER"]
    (username: impl Arg) -> Value;
    call => call.with(username)
}

declare! {
    /// Explains the subcommands.
    ///
    /// `ACL HELP`
    ///
    /// Since 6.0.0. O(1).
    everywhere acl_help AclHelp ["ACL", "HELP"]
    () -> Vec<String>;
    call => call
}

declare! {
    /// Lists the rules of all users, as an ACL file holds them.
    ///
    /// `ACL LIST`
    ///
    /// Since 6.0.0. O(N). Where N is the number of configured users.
    everywhere acl_list AclList ["ACL", "LIST"]
    () -> Vec<String>;
    call => call
}

declare! {
    /// Takes over the users of the ACL file.
    ///
    /// `ACL LOAD`
    ///
    /// Since 6.0.0. O(N). Where N is the number of configured users.
    everywhere acl_load AclLoad ["ACL", "LOAD"]
    () -> ();
    call => call
}

declare! {
    /// Lists what was refused lately, or forgets it.
    ///
    /// `ACL LOG [count | RESET]`
    ///
    /// Since 6.0.0. O(N) with N being the number of entries shown.
    everywhere acl_log AclLog ["ACL", "LOG"]
    () -> Value;
    call => call.gap(0)
}

impl<E, R> Call<E, AclLog, R> {
    /// `count`
    pub fn count(self, count: i64) -> Self {
        self.option(0, |r| {
            count.add_to(r);
        })
    }

    /// `RESET`
    pub fn reset(self) -> Self {
        self.option(0, |r| r.push(b"RESET"))
    }
}

declare! {
    /// Writes all users to the ACL file.
    ///
    /// `ACL SAVE`
    ///
    /// Since 6.0.0. O(N). Where N is the number of configured users.
    everywhere acl_save AclSave ["ACL", "SAVE"]
    () -> ();
    call => call
}

declare! {
    /// Creates a user or changes its rules.
    ///
    /// `ACL SETUSER username [rule [rule ...]]`
    ///
    /// Since 6.0.0. O(N). Where N is the number of rules provided.
    everywhere acl_setuser AclSetuser ["ACL", "SETUSER"]
    (username: impl Arg) -> ();
    call => call.with(username).gap(0)
}

impl<E, R> Call<E, AclSetuser, R> {
    /// `rule [rule ...]`
    pub fn rule(self, rule: impl IntoIterator<Item = impl Arg>) -> Self {
        self.option(0, |r| {
            for one in rule {
                one.add_to(r);
            }
        })
    }
}

declare! {
    /// Lists the names of all users.
    ///
    /// `ACL USERS`
    ///
    /// Since 6.0.0. O(N). Where N is the number of configured users.
    everywhere acl_users AclUsers ["ACL", "USERS"]
    () -> Vec<String>;
    call => call
}

declare! {
    /// Returns the name of the user that the connection acts for.
    ///
    /// `ACL WHOAMI`
    ///
    /// Since 6.0.0. O(1).
    everywhere acl_whoami AclWhoami ["ACL", "WHOAMI"]
    () -> String;
    call => call
}

declare! {
    /// Describes every command.
    ///
    /// `COMMAND`
    ///
    /// Since 2.8.13. O(N) where N is the total number of Redis commands.
    everywhere command Command ["COMMAND"]
    () -> Value;
    call => call
}

declare! {
    /// Returns the number of commands.
    ///
    /// `COMMAND COUNT`
    ///
    /// Since 2.8.13. O(1).
    everywhere command_count CommandCount ["COMMAND", "COUNT"]
    () -> i64;
    call => call
}

declare! {
    /// Returns the documentation of the named commands, or of all.
    ///
    /// `COMMAND DOCS [command-name [command-name ...]]`
    ///
    /// Since 7.0.0. O(N) where N is the number of commands to look up.
    everywhere command_docs CommandDocs ["COMMAND", "DOCS"]
    () -> Value;
    call => call.gap(0)
}

impl<E, R> Call<E, CommandDocs, R> {
    /// `command-name [command-name ...]`
    pub fn command_name(self, command_name: impl IntoIterator<Item = impl Arg>) -> Self {
        self.option(0, |r| {
            for one in command_name {
                one.add_to(r);
            }
        })
    }
}
