//! Progress bars on standard error: only in a terminal, only when wanted.

use super::output::Output;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::time::Duration;

/// A bar over bytes; `set_length` may still move its end.
pub fn bytes(output: Output, what: &str, total: u64) -> ProgressBar {
    let bar = bar(output, Some(total));
    bar.set_style(style(
        "{prefix:>12.cyan.bold} {bar:24.cyan/dim} {decimal_bytes:>9} of {decimal_total_bytes:<9} {decimal_bytes_per_sec:>11}  {msg:.dim}",
    ));
    bar.set_prefix(what.to_owned());
    bar
}

/// Something that goes on, nobody knows how long.
pub fn spinner(output: Output, what: &str) -> ProgressBar {
    let bar = bar(output, None);
    bar.set_style(style("{prefix:>12.cyan.bold} {spinner:.cyan} {msg:.dim}"));
    bar.set_prefix(what.to_owned());
    bar
}

fn bar(output: Output, total: Option<u64>) -> ProgressBar {
    // The target itself stays silent where standard error is no terminal.
    let target = if output.quiet {
        ProgressDrawTarget::hidden()
    } else {
        ProgressDrawTarget::stderr_with_hz(12)
    };
    let bar = ProgressBar::with_draw_target(total, target);
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}

fn style(template: &str) -> ProgressStyle {
    match ProgressStyle::with_template(template) {
        Ok(style) => style.progress_chars("━━─"),
        Err(_) => ProgressStyle::default_bar(),
    }
}
