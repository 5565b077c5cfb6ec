import { existsSync } from "node:fs";
import { join } from "node:path";
import {
	Command,
	InvalidArgumentError,
	Option,
} from "@commander-js/extra-typings";
import { PUBLIC_KEY_ALGORITHMS } from "../../jwk/algorithms";
import { generateKey } from "../../jwk/generate";
import { BadUse, writeNew } from "../files";
import { KEY_FILES, readKey, writeKeyFiles } from "../keys";
import { print } from "../output";
import { KEY_VARIABLE, starter } from "../starter";

/** `x-custom-jwt init` */
export function init() {
	return new Command("init")
		.description(
			"write a starter for your own Kong: a key pair, and a declarative configuration with the plugin on a Service",
		)
		.requiredOption("--service <name>", "name of the Kong Service", name)
		.requiredOption("--url <url>", "URL of its backend", url)
		.requiredOption(
			"--gateway <url>",
			"URL of your gateway as backends reach it",
			url,
		)
		.addOption(
			new Option("--alg <alg>", "JWS algorithm of the key")
				.choices(PUBLIC_KEY_ALGORITHMS)
				.default("ES256"),
		)
		.option(
			"--discovery",
			"also publish /x-custom-jwt/.well-known/openid-configuration, for backends that are given the issuer only",
			false,
		)
		.requiredOption("--out <folder>", "where the files go")
		.addHelpText(
			"after",
			`
Example:
  $ x-custom-jwt init --service orders --url http://orders:8080 --gateway https://api.example.com --out x-custom-jwt
  $ x-custom-jwt config check x-custom-jwt/kong.yml`,
		)
		.action(async ({ out, alg, ...options }) => {
			const keys = join(out, "keys");
			const file = join(out, "kong.yml");
			// Before a key is written that nobody would use.
			const keyFiles = Object.values(KEY_FILES).map((n) => join(keys, n));
			for (const path of [...keyFiles, file])
				if (existsSync(path))
					throw new BadUse(`${path} is there already: give another --out`);
			const files = writeKeyFiles(await generateKey(alg), keys, false);
			const { text, apiKey } = starter(options, readKey(files.public));
			// It holds the API key of the example consumer.
			writeNew(file, text);
			print(`${[...Object.values(files), file].join("\n")}

1. put the plugin into Kong:   docs/deployment.md says how
2. give Kong the private key:  export ${KEY_VARIABLE}="$(cat ${files.private})"
3. check what you have:        npx x-custom-jwt config check ${file}
4. bring it to Kong:           deck gateway sync ${file}
5. try it:                     curl -H 'apikey: ${apiKey}' ${options.gateway.replace(/\/+$/, "")}/${options.service}`);
		});
}

function name(text: string): string {
	if (/^[A-Za-z0-9._~-]+$/.test(text)) return text;
	throw new InvalidArgumentError(
		"A name of letters, digits, '.', '_', '~' and '-' is expected.",
	);
}

function url(text: string): string {
	if (/^https?:\/\//.test(text) && URL.canParse(text)) return text;
	throw new InvalidArgumentError("An http or https URL is expected.");
}
