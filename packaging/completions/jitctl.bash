# bash completion for jitctl(1)

# A test holds the two tables against jitctl's own: for each command, its commands and its options.
declare -gA _jitctl_commands=(
    ['jitctl']='request withdraw extend done pending approve deny watch grant revoke lock unlock list show check explain roles confirm status doctor enable enforce disable retire clock kiosk session audit report attest offline code approvers policy help'
    ['jitctl clock']='challenge accept help'
    ['jitctl session']='list end help'
    ['jitctl audit']='show verify checkpoint export archive merge help'
    ['jitctl offline']='export import sign policy grant revoke lock clock sync inbox evidence help'
    ['jitctl code']='show enter keys answer new-secret enroll help'
    ['jitctl approvers']='list check help'
    ['jitctl policy']='load waiting approve deny show check test diff edit replay help'
)
declare -gA _jitctl_options=(
    ['jitctl']='--json --on --utc --help --version'
    ['jitctl request']='--role --like --for --start --reason --yes --wait --json --on --utc --help'
    ['jitctl withdraw']='--role --user --all --yes --reason --json --on --utc --help'
    ['jitctl extend']='--for --reason --json --on --utc --help'
    ['jitctl done']='--role --user --all --yes --reason --json --on --utc --help'
    ['jitctl pending']='--follow --json --on --utc --help'
    ['jitctl approve']='--role --user --all --for --services --uses --note --yes --json --on --utc --help'
    ['jitctl deny']='--role --user --all --reason --yes --json --on --utc --help'
    ['jitctl watch']='--json --on --utc --help'
    ['jitctl lock']='--message --for --unknown --yes --json --on --utc --help'
    ['jitctl unlock']='--reason --json --on --utc --help'
    ['jitctl grant']='--person --role --for --reason --json --on --utc --help'
    ['jitctl revoke']='--role --user --all --yes --reason --json --on --utc --help'
    ['jitctl list']='--all --role --user --json --on --utc --help'
    ['jitctl show']='--json --on --utc --help'
    ['jitctl check']='--person --from --json --on --utc --help'
    ['jitctl explain']='--person --at --from --target --json --on --utc --help'
    ['jitctl roles']='--json --on --utc --help'
    ['jitctl confirm']='--json --on --utc --help'
    ['jitctl status']='--json --on --utc --help'
    ['jitctl doctor']='--json --on --utc --help'
    ['jitctl enable']='--confirm --cancel --restore --within --yes --json --on --utc --help'
    ['jitctl enforce']='--within --yes --json --on --utc --help'
    ['jitctl disable']='--within --yes --json --on --utc --help'
    ['jitctl kiosk']='--json --on --utc --help'
    ['jitctl clock']='--json --on --utc --help'
    ['jitctl clock challenge']='--json --on --utc --help'
    ['jitctl clock accept']='--reason --json --on --utc --help'
    ['jitctl session']='--json --on --utc --help'
    ['jitctl session list']='--json --on --utc --help'
    ['jitctl session end']='--reason --yes --json --on --utc --help'
    ['jitctl audit']='--json --on --utc --help'
    ['jitctl attest']='--note --json --on --utc --help'
    ['jitctl audit show']='--user --role --service --event --request --since --until --lines --commands --follow --json --on --utc --help'
    ['jitctl audit verify']='--archive --checkpoint --key --json --on --utc --help'
    ['jitctl audit checkpoint']='--key --qr --json --on --utc --help'
    ['jitctl audit merge']='--key --user --role --service --event --request --since --until --json --on --utc --help'
    ['jitctl audit archive']='--before --note --list --json --on --utc --help'
    ['jitctl audit export']='--format --after --since --from --proof --json --on --utc --help'
    ['jitctl retire']='--reason --to --qr --yes --json --on --utc --help'
    ['jitctl report']='--since --until --at --csv --html --observe --service --attest --every --json --on --utc --help'
    ['jitctl offline']='--json --on --utc --help'
    ['jitctl offline export']='--output --text --compact --qr --ascii --json --on --utc --help'
    ['jitctl offline import']='--json --on --utc --help'
    ['jitctl offline sign']='--key --agent --deny --note --duration --services --yes --known --compact --qr --ascii --json --on --utc --help'
    ['jitctl offline policy']='--output --hosts --serial --after --for --json --on --utc --help'
    ['jitctl offline grant']='--role --hosts --host-key --person --for --services --uses --not-before --not-after --reason --output --json --on --utc --help'
    ['jitctl offline revoke']='--hosts --not-after --reason --output --json --on --utc --help'
    ['jitctl offline lock']='--hosts --until --not-after --message --output --json --on --utc --help'
    ['jitctl offline clock']='--reason --output --json --on --utc --help'
    ['jitctl offline sync']='--again --known --json --on --utc --help'
    ['jitctl offline inbox']='--host --role --user --request --all --approve --deny --key --agent --yes --known --json --on --utc --help'
    ['jitctl offline evidence']='--in --json --on --utc --help'
    ['jitctl code']='--json --on --utc --help'
    ['jitctl code show']='--json --on --utc --help'
    ['jitctl code enter']='--json --on --utc --help'
    ['jitctl code keys']='--json --on --utc --help'
    ['jitctl code answer']='--host --user --role --for --starts --code --deny --duration --yes --in --json --on --utc --help'
    ['jitctl code new-secret']='--in --json --on --utc --help'
    ['jitctl code enroll']='--host-key --principal --slot --epoch --in --json --on --utc --help'
    ['jitctl approvers']='--json --on --utc --help'
    ['jitctl approvers list']='--json --on --utc --help'
    ['jitctl approvers check']='--revoked --json --on --utc --help'
    ['jitctl policy']='--json --on --utc --help'
    ['jitctl policy load']='--try --reason --override --force --signed --json --on --utc --help'
    ['jitctl policy waiting']='--json --on --utc --help'
    ['jitctl policy approve']='--yes --note --json --on --utc --help'
    ['jitctl policy deny']='--yes --reason --json --on --utc --help'
    ['jitctl policy show']='--expanded --from --json --on --utc --help'
    ['jitctl policy check']='--in --as --no-host --json --on --utc --help'
    ['jitctl policy test']='--json --on --utc --help'
    ['jitctl policy diff']='--in --as --from --json --on --utc --help'
    ['jitctl policy edit']='--reason --json --on --utc --help'
    ['jitctl policy replay']='--in --as --log --host-group --json --on --utc --help'
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
            --role | --for | --reason | --in | --as | --at | --from | --target | --try | --within) i=$((i + 1)) ;;
            --start | --user | --services | --uses | --note | --message) i=$((i + 1)) ;;
            --output | --key | --deny | --duration | --revoked | --host | --known) i=$((i + 1)) ;;
            --service | --event | --request | --since | --until | --lines | --checkpoint | --format | --after | --html | --proof) i=$((i + 1)) ;;
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
        --role | --for | --reason | --as | --at | --try | --within | --start | --wait | --uses | --note | --message) return ;;
        --deny | --duration | --host) return ;;
        --event | --since | --until | --lines | --after) return ;;
        --request)
            mapfile -t COMPREPLY < <(compgen -W "$(_jitctl_ids --all)" -- "$cur")
            return
            ;;
        --checkpoint | --output | --key | --revoked | --html | --proof)
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
            'jitctl grant:0' | 'jitctl check:1' | 'jitctl explain:1' | 'jitctl roles:0') words=$(compgen -u) ;;
            'jitctl enable:'* | 'jitctl enforce:'* | 'jitctl disable:'*) words=$(_jitctl_services) ;;
            'jitctl check:0' | 'jitctl explain:0') words=$(_jitctl_services) ;;
            'jitctl revoke:'* | 'jitctl withdraw:'* | 'jitctl extend:0' | 'jitctl done:'*) words=$(_jitctl_ids) ;;
            'jitctl approve:'* | 'jitctl deny:'*) words=$(_jitctl_pending) ;;
            'jitctl lock:0' | 'jitctl unlock:0') words='host user: group: service: role:' ;;
            'jitctl session end:0') words="$(_jitctl_sessions) $(compgen -u)" ;;
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
