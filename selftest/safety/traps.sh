#!/bin/sh
# Makes a booby trap of every way in which a repository can have git run something.
# MARKS: a folder; each trap that goes off leaves a file of its name there. Run at the top of a working tree.
set -e
top=$PWD
hit() { printf 'touch "%s/%s"' "$MARKS" "$1"; }

# Programs that git starts by a path.
mkdir -p evil
for name in gpg askpass; do
    printf '#!/bin/sh\n%s\nexit 1\n' "$(hit "$name")" > "evil/$name"
    chmod +x "evil/$name"
done

# Hooks, in both places.
mkdir -p .githooks
for hook in applypatch-msg pre-applypatch post-applypatch pre-commit pre-merge-commit prepare-commit-msg commit-msg \
    post-commit pre-rebase post-checkout post-merge pre-push pre-receive update proc-receive post-receive post-update \
    reference-transaction push-to-checkout pre-auto-gc post-rewrite sendemail-validate fsmonitor-watchman post-index-change; do
    for folder in .git/hooks .githooks; do
        mkdir -p "$folder"
        printf '#!/bin/sh\n%s\nexit 0\n' "$(hit "hook-$hook")" > "$folder/$hook"
        chmod +x "$folder/$hook"
    done
done

# What the files of the tree ask for, and what the settings make of it.
printf '*.txt filter=evil diff=evil merge=evil\n*.md filter=streaming\n*.inc filter=included\n*.con filter=conditional\n*.cmd diff=command\n' > .gitattributes
mkdir -p .git/info
printf '*.txt diff=evil\n*.png filter=evil\n' > .git/info/attributes
printf '[filter "included"]\n\tclean = "%s; cat"\n' "$(hit include | sed 's/"/\\"/g')" > evil/included
printf '[filter "conditional"]\n\tclean = "%s; cat"\n' "$(hit include-if | sed 's/"/\\"/g')" > evil/conditional
set_to() { git config --replace-all "$1" "$2"; }
set_to filter.evil.clean "$(hit filter-clean); cat"
set_to filter.evil.smudge "$(hit filter-smudge); cat"
set_to filter.streaming.process "$(hit filter-process); exit 1"
set_to filter.streaming.clean "$(hit filter-streaming); cat"
set_to diff.evil.textconv "$(hit textconv); cat"
set_to diff.command.command "$(hit diff-command); true"
set_to merge.evil.driver "$(hit merge-driver); exit 1"
set_to merge.default evil
set_to credential.helper "!$(hit credential); true"
set_to core.askPass "$top/evil/askpass"
set_to core.sshCommand "$(hit ssh); false"
set_to core.gitProxy "$(hit git-proxy)"
set_to core.editor "$(hit editor); true"
set_to sequence.editor "$(hit sequence-editor); true"
set_to core.pager "$(hit pager); cat"
set_to interactive.diffFilter "$(hit diff-filter); cat"
set_to core.alternateRefsCommand "$(hit alternate-refs)"
set_to gpg.program "$top/evil/gpg"
set_to gpg.ssh.program "$top/evil/gpg"
set_to commit.gpgSign true
set_to tag.gpgSign true
set_to log.showSignature true
set_to merge.verifySignatures true
set_to alias.lg "!$(hit alias)"
set_to uploadpack.packObjectsHook "$(hit pack-objects)"
set_to trailer.evil.command "$(hit trailer)"
set_to protocol.ext.allow always
set_to remote.origin.url "ext::sh -c touch% $MARKS/ext"
set_to remote.origin.fetch '+refs/heads/*:refs/remotes/origin/*'
set_to remote.over-ssh.url 'ssh://nowhere.invalid/x'
set_to remote.origin.promisor true
set_to core.repositoryFormatVersion 1
set_to extensions.partialClone origin
set_to safe.directory '*'
set_to submodule.recurse true
set_to include.path "$top/evil/included"
set_to "includeIf.gitdir:**.path" "$top/evil/conditional"
# A submodule that would be fetched by a command, and updated by another.
printf '[submodule "x"]\n\tpath = sub\n\turl = ext::sh -c touch%% %s/submodule\n' "$MARKS" > .gitmodules
set_to submodule.x.url "ext::sh -c touch% $MARKS/submodule"
set_to submodule.x.update "!$(hit submodule-update)"
set_to submodule.x.active true
set_to core.hooksPath .githooks
set_to diff.external "$(hit diff-external); true"
set_to core.fsmonitor "$(hit fsmonitor); false"
