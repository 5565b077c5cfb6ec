import { readConfiguration } from "../../declarative/model";
import { readKey } from "../keys";
import { now } from "../output";
import { activate } from "../rotate";
import { cacheMaxAge, conclude, margin, rotateStep } from "../rotate-step";

/** `x-custom-jwt keys rotate activate` */
export function keysRotateActivate() {
	return rotateStep(
		"activate",
		"second step: the new key signs; where a vault holds it, record that it does",
		"activate --config kong.yml --key new-jwk.json",
	)
		.option("--key <file>", "the new key: private, unless a vault holds it")
		.option(
			"--replaces <kid>",
			"the key that signs now, where the file does not show it",
		)
		.addOption(cacheMaxAge())
		.addOption(margin())
		.option("--force", "although backends may not have the new key yet", false)
		.action(async (options) => {
			const key = options.key ? readKey(options.key) : undefined;
			const configuration = readConfiguration(options.config);
			conclude(
				await activate(configuration, options, { ...options, key }, now()),
				options,
			);
		});
}
