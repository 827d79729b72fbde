# Completion of zae-limiter for bash: source <(zae-limiter completion bash)

_zae_limiter() {
	local line=${COMP_LINE:0:COMP_POINT} words word meaning
	read -ra words <<<"$line"
	[[ $line != *[[:space:]] ]] || words+=("")
	# bash cuts words at =, and wants what stands behind it.
	local typed=${words[${#words[@]} - 1]} behind=
	[[ $typed != *=* || $COMP_WORDBREAKS != *=* ]] || behind=${typed%%=*}=
	COMPREPLY=()
	while IFS=$'\t' read -r word meaning; do
		if [[ $word = :files ]]; then
			compopt -o default 2>/dev/null
		else
			COMPREPLY+=("${word#"$behind"}")
		fi
	done < <("${words[0]}" complete -- "${words[@]:1}" 2>/dev/null)
}
complete -F _zae_limiter zae-limiter
