import { Command } from "@commander-js/extra-typings";
import { keysRotateActivate } from "./keys-rotate-activate";
import { keysRotatePublish } from "./keys-rotate-publish";
import { keysRotateRetire } from "./keys-rotate-retire";
import { keysRotateStatus } from "./keys-rotate-status";

/** `x-custom-jwt keys rotate` and its steps. */
export function keysRotate() {
	return new Command("rotate")
		.description(
			"replace the key that signs, in steps that each leave every token verifiable",
		)
		.addHelpText(
			"after",
			`
Each step writes into the published keys when it was taken. Deploy after each step; status prints what comes next.
Examples:
  $ npx kong-plugin-x-custom-jwt keys rotate publish --config kong.yml --private-out new-jwk.json
  $ npx kong-plugin-x-custom-jwt keys rotate activate --config kong.yml --key new-jwk.json    # an hour later
  $ npx kong-plugin-x-custom-jwt keys rotate retire --config kong.yml                         # when it says so
  $ npx kong-plugin-x-custom-jwt keys rotate status --config kong.yml`,
		)
		.addCommand(keysRotatePublish())
		.addCommand(keysRotateActivate())
		.addCommand(keysRotateRetire())
		.addCommand(keysRotateStatus());
}
