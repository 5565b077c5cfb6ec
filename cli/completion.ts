/** Completion of commands, options and their choices, as scripts for shells. */

/** Shells there is a script for. */
export const SHELLS = ["bash", "zsh", "fish"] as const;

/** What is read of a command. */
export interface Tree {
	name(): string;
	description(): string;
	commands: readonly Tree[];
	options: readonly {
		long?: string;
		description: string;
		argChoices?: string[];
	}[];
	registeredArguments: readonly { argChoices?: string[] }[];
}

/** A command by the words that lead to it; none for the program itself. */
interface Place {
	path: string;
	tree: Tree;
}

function placesOf(tree: Tree, path = ""): Place[] {
	const below = tree.commands.flatMap((command) =>
		placesOf(command, `${path} ${command.name()}`.trim()),
	);
	return [{ path, tree }, ...below];
}

/**
 * Writes the script for a shell.
 *
 * @param program the command with all that is below it
 */
export function completionScript(
	program: Tree,
	shell: (typeof SHELLS)[number],
): string {
	const places = placesOf(program);
	if (shell === "fish") return fish(program.name(), places);
	const script = bash(program.name(), places);
	return shell === "bash"
		? script
		: `autoload -U +X bashcompinit && bashcompinit\n${script}`;
}

const longOptions = ({ options }: Tree) => [
	...options.flatMap(({ long }) => long ?? []),
	"--help",
];

/** What may come after a command besides options. */
const wordsOf = ({ commands, registeredArguments }: Tree) => [
	...commands.map((command) => command.name()),
	...registeredArguments.flatMap(({ argChoices }) => argChoices ?? []),
];

function bash(name: string, places: Place[]): string {
	const known = places
		.filter(({ path }) => path)
		.map(({ path }) => `"${path}"`);
	const choices = new Map(
		places.flatMap(({ tree }) =>
			tree.options.flatMap(({ long, argChoices }) =>
				long && argChoices ? [[long, argChoices] as const] : [],
			),
		),
	);
	return `_x_custom_jwt() {
  local path="" words="" word
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "\${path:+$path }$word" in
      ${known.join("|")}) path="\${path:+$path }$word" ;;
    esac
  done
  case "$path" in
${places.map(({ path, tree }) => `    "${path}") words="${[...wordsOf(tree), ...longOptions(tree)].join(" ")}" ;;`).join("\n")}
  esac
  case "\${COMP_WORDS[COMP_CWORD-1]}" in
${[...choices].map(([long, words]) => `    ${long}) words="${words.join(" ")}" ;;`).join("\n")}
  esac
  COMPREPLY=($(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _x_custom_jwt ${name}
`;
}

const quote = (text: string) => `'${text.replace(/[\\']/g, "\\$&")}'`;

function fish(name: string, places: Place[]): string {
	const known = places
		.filter(({ path }) => path)
		.map(({ path }) => quote(path));
	const lines = places.flatMap(({ path, tree }) => {
		const start = `complete -c ${name} -n ${quote(`test (__x_custom_jwt_path) = "${path}"`)}`;
		return [
			...tree.commands.map(
				(command) =>
					`${start} -f -a ${command.name()} -d ${quote(command.description())}`,
			),
			...tree.registeredArguments.flatMap(({ argChoices }) =>
				argChoices ? [`${start} -f -a ${quote(argChoices.join(" "))}`] : [],
			),
			...tree.options.flatMap(({ long, description, argChoices }) => {
				if (!long) return [];
				const values = argChoices
					? ` -x -a ${quote(argChoices.join(" "))}`
					: "";
				return `${start} -l ${long.slice(2)} -d ${quote(description)}${values}`;
			}),
		];
	});
	return `function __x_custom_jwt_path
  set -l path
  for word in (commandline -opc)[2..]
    if contains -- (string join " " $path $word) ${known.join(" ")}
      set path $path $word
    end
  end
  string join " " -- $path
end
${lines.join("\n")}
`;
}
