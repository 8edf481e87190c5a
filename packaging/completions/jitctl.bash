# bash completion for jitctl(1)

# A test holds the two tables against jitctl's own: for each command, its commands and its options.
declare -gA _jitctl_commands=(
    ['jitctl']='grant revoke list show check status policy help'
    ['jitctl policy']='load show check test diff edit help'
)
declare -gA _jitctl_options=(
    ['jitctl']='--json --help --version'
    ['jitctl grant']='--role --for --reason --json --help'
    ['jitctl revoke']='--reason --json --help'
    ['jitctl list']='--all --json --help'
    ['jitctl show']='--json --help'
    ['jitctl check']='--json --help'
    ['jitctl status']='--json --help'
    ['jitctl policy']='--json --help'
    ['jitctl policy load']='--json --help'
    ['jitctl policy show']='--json --help'
    ['jitctl policy check']='--in --as --no-host --json --help'
    ['jitctl policy test']='--json --help'
    ['jitctl policy diff']='--in --as --from --json --help'
    ['jitctl policy edit']='--json --help'
)

# The ids that jitd shows the caller.
_jitctl_ids() {
    jitctl list "$@" 2>/dev/null | while read -r id _; do
        [[ $id == [gr]-* ]] && printf '%s\n' "$id"
    done
}

# The PAM services that jitd is asked by.
_jitctl_services() {
    local file
    for file in /etc/pam.d/*; do
        [[ -f $file ]] && printf '%s\n' "${file##*/}"
    done
}

_jitctl() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
    local command=jitctl words='' word i place=0
    COMPREPLY=()

    # What stands before the cursor: the command so far, and how many arguments it has been given.
    for ((i = 1; i < COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        case $word in
            --role | --for | --reason | --in | --as | --from) i=$((i + 1)) ;;
            -*) ;;
            *)
                if [[ " ${_jitctl_commands[$command]-} " == *" $word "* ]]; then
                    command+=" $word"
                else
                    place=$((place + 1))
                fi
                ;;
        esac
    done

    case $prev in
        # What follows is a name, a length or a sentence that only the person knows.
        --role | --for | --reason | --as) return ;;
        --in | --from)
            mapfile -t COMPREPLY < <(compgen -d -- "$cur")
            return
            ;;
    esac
    if [[ $cur == -* ]]; then
        words=${_jitctl_options[$command]-}
    elif [[ -n ${_jitctl_commands[$command]-} && $place == 0 ]]; then
        words=${_jitctl_commands[$command]}
    else
        case $command:$place in
            'jitctl help:'*) words=${_jitctl_commands[jitctl]} ;;
            'jitctl grant:0' | 'jitctl check:1') words=$(compgen -u) ;;
            'jitctl check:0') words=$(_jitctl_services) ;;
            'jitctl revoke:0') words=$(_jitctl_ids) ;;
            'jitctl show:0') words=$(_jitctl_ids --all) ;;
            'jitctl policy test:0')
                mapfile -t COMPREPLY < <(compgen -d -- "$cur")
                return
                ;;
            'jitctl policy check:0' | 'jitctl policy diff:0' | 'jitctl policy edit:0')
                mapfile -t COMPREPLY < <(compgen -f -- "$cur")
                return
                ;;
        esac
    fi
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
}

complete -F _jitctl jitctl
