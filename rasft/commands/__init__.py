"""What the subcommands of `rasft` do, a file each; `rasft.cli` names them."""
