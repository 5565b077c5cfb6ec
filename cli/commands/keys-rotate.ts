import { Command } from "@commander-js/extra-typings";
import { keysRotateActivate } from "./keys-rotate-activate";
import { keysRotatePublish } from "./keys-rotate-publish";
import { keysRotateRetire } from "./keys-rotate-retire";

/** `x-custom-jwt keys rotate` and its steps. */
export function keysRotate() {
	return new Command("rotate")
		.description(
			"replace the key that signs, in steps that each leave every token verifiable",
		)
		.addHelpText(
			"after",
			`
What was done when is written into the published keys: iat published, nbf activated, exp replaced. Deploy after
each step. Example:
  $ x-custom-jwt keys rotate publish --config kong.yml --private-out new-jwk.json
  $ x-custom-jwt keys rotate activate --config kong.yml --key new-jwk.json    # an hour later
  $ x-custom-jwt keys rotate retire --config kong.yml                         # when it says so`,
		)
		.addCommand(keysRotatePublish())
		.addCommand(keysRotateActivate())
		.addCommand(keysRotateRetire());
}
