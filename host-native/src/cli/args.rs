//! What may stand on the command line.

use clap::{Args, Parser, Subcommand, builder::NonEmptyStringValueParser};
use littoral::core::blob::Pointer;
use std::{fmt, net::SocketAddr, path::PathBuf, time::Duration};

/// A crash-safe store in one file that works offline and brings everything to a remote in time.
///
/// Files and directory trees are kept by their SHA-256 in one local file (`--store`). What is put is durable when the command
/// returns, and queued for the remote (`--remote`), which may be unreachable until `littoral sync`.
#[derive(Debug, Parser)]
#[command(
    name = "littoral",
    version,
    max_term_width = 100,
    propagate_version = true,
    after_long_help = super::exit::HELP
)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Options for every command")]
pub struct Global {
    /// The store's file. Commands that put something make it
    #[arg(
        long,
        global = true,
        env = "LITTORAL_STORE",
        value_name = "FILE",
        default_value = "littoral.store"
    )]
    pub store: PathBuf,

    /// The remote, such as http://127.0.0.1:7420. Without one, uploads wait in the queue
    #[arg(
        long,
        global = true,
        env = "LITTORAL_REMOTE",
        value_name = "URL",
        value_parser = NonEmptyStringValueParser::new()
    )]
    pub remote: Option<String>,

    /// The remote's token (`serve`: the one to ask for). Better in the environment, where other users do not see it
    #[arg(
        long,
        global = true,
        env = "LITTORAL_TOKEN",
        hide_env_values = true,
        value_name = "TOKEN"
    )]
    pub token: Option<Token>,

    /// Give the remote up after this many seconds without any progress
    #[arg(long, global = true, value_name = "SECONDS", default_value_t = 30)]
    pub timeout: u64,

    /// Results, and errors, as JSON: one document, or one a line where there are many
    #[arg(long, global = true)]
    pub json: bool,

    /// No progress and no remarks, only results and errors
    #[arg(long, short, global = true)]
    pub quiet: bool,
}

impl Global {
    /// How long to wait for a remote that does nothing.
    pub fn patience(&self) -> Duration {
        Duration::from_secs(self.timeout.max(1))
    }
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Store a file, and print its pointer once it is durable
    Put(Put),
    /// Write a blob's bytes to standard output
    Cat(Cat),
    /// Write a blob to a file
    Get(Get),
    /// Say what is known of blobs
    Stat(Pointers),
    /// List the blobs, or what is in a tree
    Ls(Ls),
    /// Delete blobs, here and on the remote
    Rm(Rm),
    /// Bring everything that is queued to the remote
    Sync,
    /// Say how the store and its queue are
    Status,
    /// Read everything, and check every checksum
    ///
    /// Blobs whose deletion waits for the remote are in the file still, and are read too.
    Verify,
    /// Verify, then fetch damaged blobs from the remote
    Repair,
    /// Give the space of what was deleted back to the file system
    Reclaim,
    /// Write a consistent copy of the store to a new file
    Backup(Backup),
    /// Make the store from a backup
    Restore(Restore),
    /// Store a directory tree, and name it with a root
    Import(Import),
    /// Write a tree to a directory
    Export(Export),
    /// Names that point at blobs
    #[command(subcommand)]
    Root(Root),
    /// One tree of values, changed by patches, with all its history
    Doc(Doc),
    /// Serve the store as a remote, over HTTP
    Serve(Serve),
    /// Show it all: a whole tree imported offline, uploaded, lost, restored and compared
    Demo(Demo),
    /// Print a script that completes commands in a shell
    Completions(Completions),
    /// Print the manual page, or write all of them to a folder
    Man(Man),
}

#[derive(Debug, Args)]
pub struct Put {
    /// The file; `-` is standard input
    pub file: PathBuf,
    #[command(flatten)]
    pub wait: Wait,
}

#[derive(Debug, Args)]
pub struct Cat {
    /// The blob: 64 hex digits, or a CID
    #[arg(value_parser = pointer)]
    pub pointer: Pointer,
}

#[derive(Debug, Args)]
pub struct Get {
    /// The blob: 64 hex digits, or a CID
    #[arg(value_parser = pointer)]
    pub pointer: Pointer,
    /// Where to write it; `cat` writes to standard output
    pub file: PathBuf,
    /// Replace the file if it is there
    #[arg(long)]
    pub replace: bool,
}

#[derive(Debug, Args)]
pub struct Pointers {
    /// The blobs: 64 hex digits each, or CIDs
    #[arg(required = true, value_name = "POINTER", value_parser = pointer)]
    pub pointers: Vec<Pointer>,
}

#[derive(Debug, Args)]
pub struct Rm {
    #[command(flatten)]
    pub pointers: Pointers,
    #[command(flatten)]
    pub wait: Wait,
}

#[derive(Debug, Args)]
pub struct Ls {
    /// List what is in this tree instead: a root or a pointer
    #[arg(value_name = "ROOT")]
    pub root: Option<String>,
    /// The directory in the tree
    #[arg(value_name = "PATH", requires = "root")]
    pub path: Option<PathBuf>,
    /// Only blobs behind this one
    #[arg(long, value_name = "POINTER", value_parser = pointer, conflicts_with = "root")]
    pub after: Option<Pointer>,
    /// At most this many
    #[arg(long, value_name = "N", conflicts_with = "root")]
    pub limit: Option<u64>,
    #[command(flatten)]
    pub here: Here,
}

/// Where a list is taken from.
#[derive(Debug, Args)]
pub struct Here {
    /// List what is in the store; the remote is not asked
    #[arg(long)]
    pub here: bool,
}

/// When a command that changes something returns.
#[derive(Debug, Args)]
pub struct Wait {
    /// Return only once the remote has it too
    #[arg(long)]
    pub wait: bool,
}

#[derive(Debug, Args)]
pub struct Backup {
    /// The copy; must not be there yet
    pub file: PathBuf,
    /// Of a damaged store, copy what can be read and say what cannot. Older values of what cannot may come back
    #[arg(long)]
    pub salvage: bool,
}

#[derive(Debug, Args)]
pub struct Restore {
    /// A file that `backup` wrote
    pub file: PathBuf,
}

#[derive(Debug, Args)]
pub struct Import {
    /// The directory
    pub dir: PathBuf,
    /// The root that shall name it [default: the directory's name]
    #[arg(long, value_name = "NAME")]
    pub root: Option<String>,
    /// Move the root even if some files cannot be read; the tree is then without them
    #[arg(long)]
    pub skip_unreadable: bool,
    #[command(flatten)]
    pub wait: Wait,
}

#[derive(Debug, Args)]
pub struct Export {
    /// A root, or a tree's pointer
    pub root: String,
    /// The directory; made if it is not there
    pub dir: PathBuf,
    /// Write into a directory that is not empty, replacing files of the same name
    #[arg(long)]
    pub replace: bool,
}

#[derive(Debug, Subcommand)]
pub enum Root {
    /// List the roots
    List(Here),
    /// Print where a root points
    Get {
        /// The root
        name: String,
    },
    /// Point a root at a blob
    Set(RootSet),
    /// Remove a root; what it pointed at stays
    Rm {
        /// The root
        name: String,
    },
}

#[derive(Debug, Args)]
pub struct RootSet {
    /// The root
    pub name: String,
    /// Where it shall point
    #[arg(value_parser = pointer)]
    pub pointer: Pointer,
    /// Only if it points here now; `none` if it must not be there
    #[arg(long, value_name = "POINTER", value_parser = expected)]
    pub from: Option<Expected>,
    #[command(flatten)]
    pub wait: Wait,
}

/// Paths are as `boats.ebb.crew[0]`; the root is `''`.
#[derive(Debug, Args)]
pub struct Doc {
    /// In this scope instead of the document itself
    #[arg(long, global = true, value_name = "NAME")]
    pub scope: Option<String>,
    #[command(subcommand)]
    pub command: DocCommand,
}

#[derive(Debug, Subcommand)]
pub enum DocCommand {
    /// Print what is at a path
    Get {
        /// The path; the root is `''`
        #[arg(default_value = "")]
        path: String,
    },
    /// Put a value at a path
    Set {
        /// The path
        path: String,
        /// JSON; `-` is standard input
        #[arg(value_name = "JSON", allow_hyphen_values = true)]
        value: String,
    },
    /// Change what is at a path: an RFC 7396 merge, or an RFC 6902 patch
    Patch(DocPatch),
    /// Print what was at a path after a commit
    At {
        /// The commit's number
        commit: u64,
        /// The path; the root is `''`
        #[arg(default_value = "")]
        path: String,
    },
    /// List the commits that touched a path, newest first
    Log {
        /// The path; the root is `''`
        #[arg(default_value = "")]
        path: String,
        /// From this commit on
        #[arg(long, value_name = "COMMIT")]
        from: Option<u64>,
        /// Up to this commit
        #[arg(long, value_name = "COMMIT")]
        to: Option<u64>,
    },
    /// Print operations that make the state after one commit that after another
    Diff {
        /// The one
        from: u64,
        /// The other
        to: u64,
        /// The path; the root is `''`
        #[arg(default_value = "")]
        path: String,
    },
    /// Print the state, then each later commit that touched a path
    Watch(DocWatch),
    /// Declare by which field elements of lists are known, so that `users(jane)` means one
    Key {
        /// The lists, such as `users` or `teams(*).members`
        lists: String,
        /// The field
        field: String,
    },
    /// Copies of the document that are changed on their own
    #[command(subcommand)]
    Scope(DocScope),
    /// Sort what was committed into tables, and remove the past that is not to be kept
    Snapshot(Keep),
}

#[derive(Debug, Subcommand)]
pub enum DocScope {
    /// List scopes, with the commit that each began with and its last one
    List,
    /// Make a scope of the document as it is now
    Create {
        /// Its name
        name: String,
    },
    /// Remove a scope with all that was changed in it
    Drop {
        /// Its name
        name: String,
    },
    /// Apply what was changed in a scope to the document as one commit, and remove the scope
    Promote {
        /// Its name
        name: String,
    },
}

/// Which past states stay. Without any of these, all of them.
#[derive(Debug, Args)]
#[group(multiple = false)]
pub struct Keep {
    /// Keep the states of the last so many commits
    #[arg(long, value_name = "COMMITS", value_parser = clap::value_parser!(u64).range(1..))]
    pub keep_last: Option<u64>,
    /// Keep what was the state within the last so many seconds
    #[arg(long, value_name = "SECONDS")]
    pub keep_for: Option<u64>,
    /// Keep ever fewer states the older they are: each time they are so many times as old, one of so many
    #[arg(
        long,
        value_name = "DIVISOR",
        num_args = 0..=1,
        default_missing_value = "2",
        value_parser = clap::value_parser!(u64).range(2..)
    )]
    pub thin: Option<u64>,
}

#[derive(Debug, Args)]
pub struct DocPatch {
    /// The path; the root is `''`
    pub path: String,
    /// JSON; `-` is standard input
    #[arg(value_name = "JSON", allow_hyphen_values = true)]
    pub patch: String,
    /// The patch is a list of operations as in RFC 6902
    #[arg(long)]
    pub json_patch: bool,
    /// Only if this matches what is there
    #[arg(long = "match", value_name = "JSON", allow_hyphen_values = true)]
    pub matching: Option<String>,
}

#[derive(Debug, Args)]
pub struct DocWatch {
    /// A path, or many: `boats.*.berth`
    #[arg(default_value = "")]
    pub pattern: String,
    /// From the state after this commit on [default: the last one]
    #[arg(long, value_name = "COMMIT")]
    pub from: Option<u64>,
}

#[derive(Debug, Args)]
pub struct Serve {
    /// The address to listen at; port 0 is any that is free
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:7420")]
    pub listen: SocketAddr,
    /// Let only pages of this origin use it, or of these [default: of any]
    #[arg(long, value_name = "ORIGIN")]
    pub origin: Vec<String>,
    /// Refuse blobs of more bytes than this
    #[arg(long, value_name = "BYTES")]
    pub max_blob: Option<u64>,
    /// Serve without a token at an address that others can reach
    #[arg(long)]
    pub public: bool,
    #[command(flatten, next_help_heading = "The document's past")]
    pub keep: Keep,
}

#[derive(Debug, Args)]
pub struct Demo {
    /// What to import [default: the sources of this program's own dependencies, from cargo's registry]
    pub dir: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct Completions {
    /// The shell
    pub shell: clap_complete::Shell,
}

#[derive(Debug, Args)]
pub struct Man {
    /// Write the page of every command to this folder
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

/// A secret. It shows as nothing, wherever it is printed.
#[derive(Clone)]
pub struct Token(String);

impl Token {
    pub fn secret(&self) -> &str {
        &self.0
    }
}

/// Takes any text: a refusal here would print it.
impl From<String> for Token {
    fn from(text: String) -> Self {
        Token(text)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(...)")
    }
}

/// Where a root has to point for it to be moved.
#[derive(Clone, Copy, Debug)]
pub enum Expected {
    Nowhere,
    At(Pointer),
}

fn expected(text: &str) -> Result<Expected, String> {
    match text {
        "none" => Ok(Expected::Nowhere),
        _ => pointer(text).map(Expected::At),
    }
}

pub fn pointer(text: &str) -> Result<Pointer, String> {
    // A CID in base 32 starts with `b` and is shorter than 64 digits.
    let parsed = if text.starts_with('b') && (50..64).contains(&text.len()) {
        Pointer::from_cid(text)
    } else {
        Pointer::from_hex(text)
    };
    parsed.map_err(|error| error.to_string())
}
