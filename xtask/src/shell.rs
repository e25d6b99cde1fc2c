//! Prints a command and runs it.

use anyhow::{Context, Result, bail};
use std::{
    ffi::{OsStr, OsString},
    fmt,
    path::Path,
    process::{Command, Stdio},
};

/// Where tools that were built for this checkout live; first in every command's `PATH`.
pub const TOOLS: &str = "target/tools";

/// One command, as it could be typed.
#[derive(Clone)]
pub struct Cmd {
    program: OsString,
    args: Vec<OsString>,
    env: Vec<(&'static str, OsString)>,
    env_removed: Vec<&'static str>,
    dir: Option<&'static str>,
}

impl Cmd {
    /// `program`, found in `PATH`.
    pub fn new(program: impl AsRef<OsStr>) -> Self {
        Cmd {
            program: program.as_ref().to_owned(),
            args: Vec::new(),
            env: Vec::new(),
            env_removed: Vec::new(),
            dir: None,
        }
    }

    /// `cargo` with these words, separated by spaces.
    pub fn cargo(words: &str) -> Self {
        Cmd::new("cargo").words(words)
    }

    /// Adds arguments, separated by spaces.
    pub fn words(self, words: &str) -> Self {
        self.args(words.split_whitespace())
    }

    /// Adds one argument as it is.
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.args.push(arg.as_ref().to_owned());
        self
    }

    /// Adds arguments as they are.
    pub fn args<A: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args
            .extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    /// Sets a variable.
    pub fn env(mut self, name: &'static str, value: impl AsRef<OsStr>) -> Self {
        self.env.push((name, value.as_ref().to_owned()));
        self
    }

    /// Hides a variable of the surrounding process.
    pub fn env_remove(mut self, name: &'static str) -> Self {
        self.env_removed.push(name);
        self
    }

    /// Runs it in this folder of the checkout.
    pub fn current_dir(mut self, dir: &'static str) -> Self {
        self.dir = Some(dir);
        self
    }

    /// Prints the command and runs it; its output goes where ours goes.
    pub fn run(&self) -> Result<()> {
        eprintln!("$ {self}");
        let status = self
            .command()
            .stdin(Stdio::null())
            .status()
            .with_context(|| format!("cannot start `{self}`"))?;
        if !status.success() {
            bail!("`{self}` ended with {status}");
        }
        Ok(())
    }

    /// Runs the command without a word and returns its standard output.
    pub fn read(&self) -> Result<String> {
        let output = self
            .command()
            .stdin(Stdio::null())
            .output()
            .with_context(|| format!("cannot start `{self}`"))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            bail!("`{self}` ended with {}: {}", output.status, said.trim());
        }
        String::from_utf8(output.stdout).with_context(|| format!("`{self}` did not print text"))
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.args).env("PATH", path_with_tools());
        if let Some(dir) = self.dir {
            command.current_dir(dir);
        }
        // What cargo told xtask about xtask is not for others: build scripts that look at it
        // would run again each time a command is given with and without `cargo xtask`.
        for (name, _) in std::env::vars_os() {
            if is_about_xtask(&name) {
                command.env_remove(name);
            }
        }
        for name in &self.env_removed {
            command.env_remove(name);
        }
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command
    }
}

fn path_with_tools() -> OsString {
    let tools = Path::new(TOOLS).join("bin");
    let tools = std::path::absolute(&tools).unwrap_or(tools);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let all = [tools].into_iter().chain(std::env::split_paths(&path));
    std::env::join_paths(all).unwrap_or(path)
}

fn is_about_xtask(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    name.starts_with("CARGO_PKG_")
        || name.starts_with("CARGO_MANIFEST_")
        || matches!(
            name.as_ref(),
            "CARGO" | "CARGO_BIN_NAME" | "CARGO_CRATE_NAME" | "CARGO_PRIMARY_PACKAGE" | "OUT_DIR"
        )
}

impl fmt::Display for Cmd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(dir) = self.dir {
            write!(f, "cd {dir} && ")?;
        }
        for (name, value) in &self.env {
            write!(f, "{name}={} ", quoted(value))?;
        }
        f.write_str(&quoted(&self.program))?;
        self.args
            .iter()
            .try_for_each(|arg| write!(f, " {}", quoted(arg)))
    }
}

fn quoted(word: &OsStr) -> String {
    let word = word.to_string_lossy();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,@+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.into_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_printed_as_it_could_be_typed() {
        let cmd = Cmd::cargo("doc --no-deps")
            .env("RUSTDOCFLAGS", "-D warnings")
            .arg("it's");
        assert_eq!(
            cmd.to_string(),
            r"RUSTDOCFLAGS='-D warnings' cargo doc --no-deps 'it'\''s'"
        );
    }

    #[test]
    fn a_command_that_fails_is_an_error_that_names_it() {
        let error = Cmd::new("rustc").arg("--no-such-flag").read().unwrap_err();
        assert!(
            error.to_string().starts_with("`rustc --no-such-flag`"),
            "{error}"
        );
    }
}
