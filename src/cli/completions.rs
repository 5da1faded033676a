//! `completions`: what the shell needs to complete commands and flags.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::Cli;
use super::output::Output;

/// Print the completion script for a shell
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  overread completions bash > ~/.local/share/bash-completion/completions/overread
  overread completions zsh > ~/.zfunc/_overread
  overread completions fish > ~/.config/fish/completions/overread.fish")]
pub(super) struct Completions {
    shell: Shell,
}

impl Completions {
    pub(super) fn run(&self, output: &mut Output) -> u8 {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "overread", &mut script);
        output.raw(&script);
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::output::tests::Captured;

    #[test]
    fn each_shell_gets_a_script_that_knows_the_commands() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            let (mut output, captured) = Captured::text();
            assert_eq!(Completions { shell }.run(&mut output), 0);
            for word in ["opinion", "recovery-code", "passphrase-file"] {
                assert!(captured.out().contains(word), "{shell}: {word}");
            }
        }
    }
}
