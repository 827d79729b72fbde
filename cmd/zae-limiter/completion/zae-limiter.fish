# Completion of zae-limiter for fish: zae-limiter completion fish | source

function __zae_limiter
    set -l words (commandline -opc)
    set -l typed (commandline -ct)
    for offer in ($words[1] complete -- $words[2..-1] "$typed" 2>/dev/null)
        if string match -q ':files*' -- $offer
            __fish_complete_path (string replace -r '^--[^=]*=' '' -- "$typed")
        else
            echo $offer
        end
    end
end
complete -c zae-limiter -f -a '(__zae_limiter)'
