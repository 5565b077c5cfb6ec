import { Argument, Command } from "@commander-js/extra-typings";
import { completionScript, SHELLS, type Tree } from "../completion";
import { print } from "../output";

/** `x-custom-jwt completion`, for all commands of a program. */
export function completion(program: () => Tree) {
	return new Command("completion")
		.description("print what makes a shell complete commands and options")
		.addArgument(new Argument("<shell>", "the shell").choices(SHELLS))
		.addHelpText(
			"after",
			`
Examples, for the file that your shell reads when it starts:
  $ eval "$(x-custom-jwt completion bash)"
  $ x-custom-jwt completion fish | source`,
		)
		.action((shell) => print(completionScript(program(), shell)));
}
