import { existsSync } from "node:fs";
import { join } from "node:path";
import {
	Command,
	InvalidArgumentError,
	Option,
} from "@commander-js/extra-typings";
import { readInput } from "../../declarative/read-file";
import { PUBLIC_KEY_ALGORITHMS } from "../../jwk/algorithms";
import { JwkError } from "../../jwk/error";
import { generateKey } from "../../jwk/generate";
import { BadUse, writeAtomically, writeNew } from "../files";
import { importKey } from "../import/import-key";
import { KEY_FILES, readKey, writeKeyFiles } from "../keys";
import { print, warn } from "../output";
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
			new Option("--alg <alg>", "JWS algorithm of the new key (default: ES256)")
				.choices(PUBLIC_KEY_ALGORITHMS)
				.conflicts("key"),
		)
		.option(
			"--key <file>",
			"sign with this private key, PEM or JWK, instead of a new one; - is standard input",
		)
		.option(
			"--audience <aud...>",
			"claim aud (default: the URL of the backend)",
		)
		.option(
			"--claims <json>",
			"claims to set, as a JSON object of strings and templates",
			claims,
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
		.action(async ({ out, alg = "ES256", key, ...options }) => {
			const keys = join(out, "keys");
			const file = join(out, "kong.yml");
			const ignore = join(out, ".gitignore");
			// Before a key is written that nobody would use.
			const keyFiles = Object.values(KEY_FILES).map((n) => join(keys, n));
			for (const path of [...keyFiles, file, ignore])
				if (existsSync(path))
					throw new BadUse(`${path} is there already: give another --out`);
			const jwk = key === undefined ? await generateKey(alg) : ownKey(key);
			const files = writeKeyFiles(jwk, keys, false);
			// Before anything else: the private key and an API key are in this folder.
			writeAtomically(ignore, "*\n", 0o644);
			const { text, apiKey } = starter(options, readKey(files.public));
			// It holds the API key of the example consumer.
			writeNew(file, text);
			print(`${[...Object.values(files), file].join("\n")}

1. put the plugin into Kong:   docs/deployment.md says how
2. give Kong the private key:  export ${KEY_VARIABLE}="$(cat ${files.private})"
3. check what you have:        npx kong-plugin-x-custom-jwt config check ${file}
4. see what would change:      deck gateway diff ${file}
5. if nothing is deleted:      deck gateway sync ${file}
   Kong without database:      mount the output of  grep -v '^_info:' ${file}
6. try it:                     curl -H 'apikey: ${apiKey}' ${options.gateway.replace(/\/+$/, "")}/${options.service}`);
		});
}

/** The private JWK of a file. */
function ownKey(file: string) {
	try {
		const { jwk, warnings } = importKey(readInput(file));
		warnings.forEach(warn);
		if (jwk.kty !== "oct") return jwk;
	} catch (error) {
		if (!(error instanceof JwkError)) throw error;
		throw new BadUse(`${file}: ${error.message}`);
	}
	throw new BadUse(`${file}: a symmetric key, which has no public half`);
}

function claims(text: string): Record<string, string> {
	let value: unknown;
	try {
		value = JSON.parse(text);
	} catch {}
	if (isStrings(value)) return value;
	throw new InvalidArgumentError(
		'A JSON object of strings is expected, such as {"sub":"$(consumer.id)"}.',
	);
}

function isStrings(value: unknown): value is Record<string, string> {
	return (
		typeof value === "object" &&
		value !== null &&
		!Array.isArray(value) &&
		Object.values(value).every((member) => typeof member === "string")
	);
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
