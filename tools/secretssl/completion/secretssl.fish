# SPDX-License-Identifier: Apache-2.0
# Completion of secretssl(1) for fish.

set -l commands run doctor stat scan enable disable status

function __secretssl_programs
    cat /proc/*/comm 2>/dev/null | sort -u
end

function __secretssl_units
    systemctl list-unit-files --type=service --no-legend --plain 2>/dev/null | string replace --regex ' .*' ''
end

# The command of secretssl that was typed
function __secretssl_is
    set -l words (commandline -opc)
    test (count $words) -ge 2; and contains -- $words[2] $argv
end

complete -c secretssl -f
complete -c secretssl -s '?' -l help -d 'Give a help list'
complete -c secretssl -s V -l version -d 'Print the version'

complete -c secretssl -n "not __fish_seen_subcommand_from $commands" -a run -d 'Run a command under libsecretssl'
complete -c secretssl -n "not __fish_seen_subcommand_from $commands" -a doctor -d 'Say whether this machine can protect secrets'
complete -c secretssl -n "not __fish_seen_subcommand_from $commands" -a stat -d 'Show live figures of protected processes'
complete -c secretssl -n "not __fish_seen_subcommand_from $commands" -a scan -d 'Search processes for copies of private keys'
complete -c secretssl -n "not __fish_seen_subcommand_from $commands" -a enable -d 'Protect a service of systemd'
complete -c secretssl -n "not __fish_seen_subcommand_from $commands" -a disable -d 'Undo enable'
complete -c secretssl -n "not __fish_seen_subcommand_from $commands" -a status -d 'Say whether a service is protected'

complete -c secretssl -n '__secretssl_is run' -l arena-size -x -d 'Cap on secret memory for each process'
complete -c secretssl -n '__secretssl_is run' -l fork -x -a 'copy deny' -d 'What a forked child gets'
complete -c secretssl -n '__secretssl_is run' -l log -r -F -a 'stderr syslog none' -d 'Where messages go'
complete -c secretssl -n '__secretssl_is run' -l prefault -x -d 'Secret memory made resident at the start'
complete -c secretssl -n '__secretssl_is run' -l require -d 'End a process that cannot have secret memory'
complete -c secretssl -n '__secretssl_is run' -l route -x -a 'all keys' -d 'What goes to secret memory'
complete -c secretssl -n '__secretssl_is run' -l set -x -d 'Any setting, as ZERO=0'
complete -c secretssl -n '__secretssl_is run' -l stats -d 'Print a summary when a process ends'
complete -c secretssl -n '__secretssl_is run' -l trace -d 'Print where live blocks were allocated'
complete -c secretssl -n '__secretssl_is run' -l uncached -x -a 'off prefer require' -d 'Uncached memory for key bytes'
complete -c secretssl -n '__secretssl_is run' -a '(__fish_complete_subcommand --fcs-skip=2)'

complete -c secretssl -n '__secretssl_is doctor' -l against-root -d 'Say which ways to secret memory root has'
complete -c secretssl -n '__secretssl_is doctor stat scan' -l json -d 'Print one JSON object'
complete -c secretssl -n '__secretssl_is doctor stat scan' -a '(__fish_complete_pids)'
complete -c secretssl -n '__secretssl_is doctor stat scan' -a '(__secretssl_programs)' -d Program
complete -c secretssl -n '__secretssl_is doctor stat scan' -a '(__secretssl_units)' -d Unit

complete -c secretssl -n '__secretssl_is stat' -l all -d 'Show every process that is protected or has TLS'
complete -c secretssl -n '__secretssl_is stat' -l color -x -a 'auto always never' -d Colours
complete -c secretssl -n '__secretssl_is stat' -l prometheus -d 'Print metrics'
complete -c secretssl -n '__secretssl_is stat' -l per-process -d 'Metrics of each process'
complete -c secretssl -n '__secretssl_is stat' -l output -r -F -d 'Write to a file'
complete -c secretssl -n '__secretssl_is stat' -l strict -d 'Fail unless every process is fully protected'
complete -c secretssl -n '__secretssl_is stat' -s v -l verbose -d 'Show all figures of each process'
complete -c secretssl -n '__secretssl_is stat' -l wait -x -d 'Wait until the processes are protected'
complete -c secretssl -n '__secretssl_is stat' -l watch -d 'Show the table again and again'

complete -c secretssl -n '__secretssl_is scan' -l kernel -d 'Also search the memory of the kernel'
complete -c secretssl -n '__secretssl_is scan' -l key -r -F -d 'Search for this private key'
complete -c secretssl -n '__secretssl_is scan' -l keylog -r -F -d 'Search for these secrets of sessions'
complete -c secretssl -n '__secretssl_is scan' -l passin -r -F -d 'File with the passphrase of the keys'

complete -c secretssl -n '__secretssl_is enable disable status' -a '(__secretssl_units)'
complete -c secretssl -n '__secretssl_is enable disable' -l now -d 'Restart the service'
complete -c secretssl -n '__secretssl_is enable' -l certificates -x -d 'Certificates, for the formula'
complete -c secretssl -n '__secretssl_is enable' -l connections -x -d 'Connections at one time, for the formula'
complete -c secretssl -n '__secretssl_is enable' -l dry-run -d 'Print the drop-in'
complete -c secretssl -n '__secretssl_is enable' -l key -r -F -d 'Search the processes for this private key'
complete -c secretssl -n '__secretssl_is enable' -l memlock -x -d 'The limit'
