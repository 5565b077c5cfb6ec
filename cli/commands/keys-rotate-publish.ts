import { Option } from "@commander-js/extra-typings";
import { readConfiguration } from "../../declarative/model";
import { PUBLIC_KEY_ALGORITHMS } from "../../jwk/algorithms";
import { BadUse } from "../files";
import { readKey } from "../keys";
import { now } from "../output";
import { generateLike, publish } from "../rotate";
import { cacheMaxAge, conclude, margin, rotateStep } from "../rotate-step";
import { use } from "./keys-generate";

/** `x-custom-jwt keys rotate publish` */
export function keysRotatePublish() {
	return rotateStep(
		"publish",
		"first step: the new public key joins the JWK Set, signing is unchanged",
		"publish --config kong.yml --private-out new-jwk.json",
	)
		.option("--key <file>", "the new key, private or public, if there is one")
		.option(
			"--private-out <file>",
			"generate it and write the private JWK here (mode 0600); - is standard output",
		)
		.addOption(
			new Option(
				"--alg <alg>",
				"algorithm of a generated key (default: the present one)",
			).choices(PUBLIC_KEY_ALGORITHMS),
		)
		.addOption(use("as the present one"))
		.addOption(cacheMaxAge())
		.addOption(margin())
		.action(async (options) => {
			const configuration = readConfiguration(options.config);
			const { key, privateOut } = options;
			if (Boolean(key) === Boolean(privateOut))
				throw new BadUse("one of --key and --private-out is expected");
			if (privateOut === "-" && (options.json || options.dryRun))
				throw new BadUse("--private-out -: only the key can be printed then");
			const jwk = key
				? readKey(key)
				: await generateLike(configuration, options);
			const outcome = await publish(
				configuration,
				options,
				jwk,
				options,
				now(),
			);
			conclude(
				outcome,
				options,
				privateOut
					? { path: privateOut, text: `${JSON.stringify(jwk)}\n` }
					: undefined,
			);
		});
}
