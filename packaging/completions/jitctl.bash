# bash completion for jitctl(1)

# A test holds the two tables against jitctl's own: for each command, its commands and its options.
declare -gA _jitctl_commands=(
    ['jitctl']='request withdraw extend done pending approve deny watch grant revoke lock unlock list show check explain roles confirm status clock kiosk session audit report attest offline code approvers policy help'
    ['jitctl clock']='challenge accept help'
    ['jitctl session']='list end help'
    ['jitctl audit']='show verify checkpoint export archive merge help'
    ['jitctl offline']='export import sign policy grant revoke lock clock sync inbox evidence help'
    ['jitctl code']='show enter keys answer new-secret enroll help'
    ['jitctl approvers']='list check help'
    ['jitctl policy']='load waiting approve deny show check test diff edit replay help'
)
declare -gA _jitctl_options=(
    ['jitctl']='--json --help --version'
    ['jitctl request']='--role --for --start --reason --yes --wait --json --help'
    ['jitctl withdraw']='--reason --json --help'
    ['jitctl extend']='--for --reason --json --help'
    ['jitctl done']='--reason --json --help'
    ['jitctl pending']='--follow --json --help'
    ['jitctl approve']='--role --user --all --for --services --uses --note --yes --json --help'
    ['jitctl deny']='--role --user --all --reason --yes --json --help'
    ['jitctl watch']='--json --help'
    ['jitctl lock']='--message --for --unknown --json --help'
    ['jitctl unlock']='--reason --json --help'
    ['jitctl grant']='--role --for --reason --json --help'
    ['jitctl revoke']='--reason --json --help'
    ['jitctl list']='--all --json --help'
    ['jitctl show']='--json --help'
    ['jitctl check']='--from --json --help'
    ['jitctl explain']='--at --from --target --json --help'
    ['jitctl roles']='--json --help'
    ['jitctl confirm']='--json --help'
    ['jitctl status']='--json --help'
    ['jitctl kiosk']='--json --help'
    ['jitctl clock']='--json --help'
    ['jitctl clock challenge']='--json --help'
    ['jitctl clock accept']='--reason --json --help'
    ['jitctl session']='--json --help'
    ['jitctl session list']='--json --help'
    ['jitctl session end']='--reason --json --help'
    ['jitctl audit']='--json --help'
    ['jitctl attest']='--note --json --help'
    ['jitctl audit show']='--user --role --service --event --request --since --until --lines --commands --follow --json --help'
    ['jitctl audit verify']='--archive --checkpoint --key --json --help'
    ['jitctl audit checkpoint']='--key --qr --json --help'
    ['jitctl audit merge']='--key --user --role --service --event --request --since --until --json --help'
    ['jitctl audit archive']='--before --note --list --json --help'
    ['jitctl audit export']='--format --after --since --from --json --help'
    ['jitctl report']='--since --until --at --csv --html --attest --every --json --help'
    ['jitctl offline']='--json --help'
    ['jitctl offline export']='--output --text --compact --qr --ascii --json --help'
    ['jitctl offline import']='--json --help'
    ['jitctl offline sign']='--key --agent --deny --duration --services --yes --known --compact --qr --ascii --json --help'
    ['jitctl offline policy']='--output --hosts --serial --after --for --json --help'
    ['jitctl offline grant']='--role --hosts --host-key --person --for --services --uses --not-before --not-after --reason --output --json --help'
    ['jitctl offline revoke']='--hosts --not-after --reason --output --json --help'
    ['jitctl offline lock']='--hosts --until --not-after --message --output --json --help'
    ['jitctl offline clock']='--reason --output --json --help'
    ['jitctl offline sync']='--again --known --json --help'
    ['jitctl offline inbox']='--host --role --user --request --all --approve --deny --key --agent --yes --known --json --help'
    ['jitctl offline evidence']='--in --json --help'
    ['jitctl code']='--json --help'
    ['jitctl code show']='--json --help'
    ['jitctl code enter']='--json --help'
    ['jitctl code keys']='--json --help'
    ['jitctl code answer']='--host --user --role --for --starts --code --deny --duration --yes --in --json --help'
    ['jitctl code new-secret']='--in --json --help'
    ['jitctl code enroll']='--host-key --principal --slot --epoch --in --json --help'
    ['jitctl approvers']='--json --help'
    ['jitctl approvers list']='--json --help'
    ['jitctl approvers check']='--revoked --json --help'
    ['jitctl policy']='--json --help'
    ['jitctl policy load']='--try --reason --override --signed --json --help'
    ['jitctl policy waiting']='--json --help'
    ['jitctl policy approve']='--yes --note --json --help'
    ['jitctl policy deny']='--yes --reason --json --help'
    ['jitctl policy show']='--json --help'
    ['jitctl policy check']='--in --as --no-host --json --help'
    ['jitctl policy test']='--json --help'
    ['jitctl policy diff']='--in --as --from --json --help'
    ['jitctl policy edit']='--reason --json --help'
    ['jitctl policy replay']='--in --as --log --host-group --json --help'
)

# The ids that jitd shows the caller.
_jitctl_ids() {
    jitctl list "$@" 2>/dev/null | while read -r id _; do
        [[ $id == [gr]-* ]] && printf '%s\n' "$id"
    done
}

# The numbers of the sessions that jitd shows the caller.
_jitctl_sessions() {
    jitctl session list 2>/dev/null | while read -r id _; do
        [[ $id == [0-9]* ]] && printf '%s\n' "$id"
    done
}

# The requests that wait for the caller's review.
_jitctl_pending() {
    jitctl pending 2>/dev/null | while read -r id rest; do
        [[ -n $id ]] || break
        [[ $id == r-* ]] && printf '%s\n' "$id"
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
            --role | --for | --reason | --in | --as | --at | --from | --target | --try) i=$((i + 1)) ;;
            --start | --user | --services | --uses | --note | --message) i=$((i + 1)) ;;
            --output | --key | --deny | --duration | --revoked | --host | --known) i=$((i + 1)) ;;
            --service | --event | --request | --since | --until | --lines | --checkpoint | --format | --after | --html) i=$((i + 1)) ;;
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
        --role | --for | --reason | --as | --at | --try | --start | --wait | --uses | --note | --message) return ;;
        --deny | --duration | --host) return ;;
        --event | --since | --until | --lines | --after) return ;;
        --request)
            mapfile -t COMPREPLY < <(compgen -W "$(_jitctl_ids --all)" -- "$cur")
            return
            ;;
        --checkpoint | --output | --key | --revoked | --html)
            mapfile -t COMPREPLY < <(compgen -f -- "$cur")
            return
            ;;
        --format)
            mapfile -t COMPREPLY < <(compgen -W 'jsonl csv rfc5424 cef ocsf' -- "$cur")
            return
            ;;
        --services | --service)
            mapfile -t COMPREPLY < <(compgen -W "$(_jitctl_services)" -- "$cur")
            return
            ;;
        --target | --user)
            mapfile -t COMPREPLY < <(compgen -u -- "$cur")
            return
            ;;
        --in | --from | --known)
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
            'jitctl grant:0' | 'jitctl check:1' | 'jitctl explain:0' | 'jitctl roles:0') words=$(compgen -u) ;;
            'jitctl check:0' | 'jitctl explain:1') words=$(_jitctl_services) ;;
            'jitctl revoke:0') words=$(_jitctl_ids) ;;
            'jitctl withdraw:0' | 'jitctl extend:0' | 'jitctl done:0') words=$(_jitctl_ids) ;;
            'jitctl approve:'* | 'jitctl deny:'*) words=$(_jitctl_pending) ;;
            'jitctl lock:0' | 'jitctl unlock:0') words='host user: group: service: role:' ;;
            'jitctl session end:0') words=$(_jitctl_sessions) ;;
            'jitctl offline export:0' | 'jitctl offline evidence:0') words=$(_jitctl_ids --all) ;;
            'jitctl code show:0' | 'jitctl code enter:0') words=$(_jitctl_ids) ;;
            'jitctl audit show:0') words=$(_jitctl_ids --all) ;;
            'jitctl show:0') words=$(_jitctl_ids --all) ;;
            'jitctl policy test:0' | 'jitctl audit merge:'*)
                mapfile -t COMPREPLY < <(compgen -d -- "$cur")
                return
                ;;
            'jitctl audit verify:'* | 'jitctl audit archive:0' | 'jitctl report:'* | 'jitctl offline import:'* | 'jitctl offline sign:0' | 'jitctl offline revoke:0' | 'jitctl offline clock:0' | 'jitctl approvers check:0' | 'jitctl code keys:0')
                mapfile -t COMPREPLY < <(compgen -f -- "$cur")
                return
                ;;
            'jitctl policy check:0' | 'jitctl policy diff:0' | 'jitctl policy edit:0' | 'jitctl policy replay:0')
                mapfile -t COMPREPLY < <(compgen -f -- "$cur")
                return
                ;;
        esac
    fi
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
}

complete -F _jitctl jitctl
