import { Command } from "@commander-js/extra-typings";
import { json } from "../keys";
import { asJson, now, print } from "../output";
import { describe, inLines, readToken } from "../token";

/** `x-custom-jwt token decode` */
export function tokenDecode() {
	return new Command("decode")
		.description("print a token's header, claims and times; verifies nothing")
		.argument("<token>", "JWT, with or without Bearer; - is standard input")
		.addOption(asJson())
		.addHelpText(
			"after",
			`
On standard input the token stays out of the shell's history. Example:
  $ echo "$TOKEN" | npx kong-plugin-x-custom-jwt token decode -`,
		)
		.action((argument, options) => {
			const described = describe(readToken(argument), now());
			if (options.json) return print(json(described));
			print(inLines(described));
			print("\nnot verified: token verify does that");
		});
}
