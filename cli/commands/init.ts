import { existsSync, mkdirSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import {
	Command,
	InvalidArgumentError,
	Option,
} from "@commander-js/extra-typings";
import type { JWK } from "jose";
import { errorCode, readInput } from "../../declarative/read-file";
import { PUBLIC_KEY_ALGORITHMS } from "../../jwk/algorithms";
import { JwkError } from "../../jwk/error";
import { generateKey } from "../../jwk/generate";
import { additionTo } from "../add-to";
import { ask, type Question } from "../ask";
import { BadUse, writeAtomically, writeNew } from "../files";
import { importKey } from "../import/import-key";
import { stepsFor, TARGETS, type Target } from "../init-steps";
import { KEY_FILES, readKey, writeKeyFiles } from "../keys";
import { publishedHalf } from "../named-jwk";
import { print, warn } from "../output";
import { AUTH, type Auth, type Example, starter } from "../starter";

/** `x-custom-jwt init` */
export function init() {
	return new Command("init")
		.description(
			"begin on your own Kong: make a key pair and a declarative configuration with the plugin on a Service, or add the plugin to a file of yours; asks on a terminal for what is missing",
		)
		.option("--service <name>", "name of the Kong Service", name)
		.option("--url <url>", "URL of its backend", url)
		.option("--gateway <url>", "URL of your gateway as backends reach it", url)
		.addOption(
			new Option(
				"--auth <method...>",
				"how clients authenticate; with several each has a route of its own (default: key)",
			).choices(AUTH),
		)
		.option("--issuer <url>", "issuer of your identity provider, for oidc", url)
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
		.option(
			"--add-to <file>",
			"add the plugin to a Service of this declarative file, instead of writing a new one",
		)
		.addOption(
			new Option(
				"--target <kong>",
				"the Kong that commands are printed for (default: existing)",
			).choices(Object.keys(TARGETS) as Target[]),
		)
		.option(
			"--out <folder>",
			"where the files go (with --add-to: the folder of the file)",
		)
		.addHelpText(
			"after",
			`
Examples:
  $ npx kong-plugin-x-custom-jwt init --service orders --url http://orders:8080 --gateway https://api.example.com --out x-custom-jwt
  $ npx kong-plugin-x-custom-jwt init --service orders --url http://orders:8080 --gateway https://api.example.com --auth key --auth jwt --target docker --out x-custom-jwt
  $ npx kong-plugin-x-custom-jwt init --add-to kong.yml --service orders --gateway https://api.example.com`,
		)
		.action((options) => (options.addTo ? addTo(options) : begin(options)));
}

/** What the command line can say. */
interface Options {
	service?: string;
	url?: string;
	gateway?: string;
	auth?: Auth[];
	issuer?: string;
	alg?: string;
	key?: string;
	audience?: string[];
	claims?: Record<string, string>;
	discovery: boolean;
	addTo?: string;
	target?: Target;
	out?: string;
}

/** Writes a starter. */
async function begin(options: Options): Promise<void> {
	const { alg, key, discovery, audience, claims } = options;
	// A user who is asked for one thing may want to choose the others.
	const isAsked = [
		options.service,
		options.url,
		options.gateway,
		options.out,
	].includes(undefined);
	const service = options.service ?? (await one(SERVICE));
	const backend = options.url ?? (await one(URL_OF_BACKEND));
	const gateway = options.gateway ?? (await one(GATEWAY));
	const auth =
		options.auth ?? (isAsked ? ((await ask(METHODS)) as Auth[]) : ["key"]);
	const issuer = await issuerFor(auth, options.issuer);
	const target =
		options.target ?? (isAsked ? ((await one(TARGET)) as Target) : "existing");
	const out = options.out ?? (await one(FOLDER));
	const keys = join(out, "keys");
	const file = join(out, "kong.yml");
	const ignore = join(out, ".gitignore");
	refuseThere([...keyFilesIn(keys), file, ignore], "give another --out");
	const jwk =
		key === undefined ? await generateKey(alg ?? "ES256") : ownKey(key);
	const files = writeKeyFiles(jwk, keys, false);
	// Before anything else: the private key and a credential are in this folder.
	writeAtomically(ignore, "*\n", 0o644);
	const { text, examples } = starter(
		{
			service,
			url: backend,
			gateway,
			auth: [...new Set(auth)],
			issuer,
			discovery,
			audience,
			claims,
		},
		readKey(files.public),
	);
	// It holds the credentials of the example consumer.
	writeNew(file, text);
	print(
		`${[...Object.values(files), file].join("\n")}\n\n${stepsFor(target, {
			file,
			privateKey: files.private,
			requests: examples.map((example) =>
				requestFor(example, target === "docker" ? undefined : gateway),
			),
			hasMtls: auth.includes("mtls"),
		})}`,
	);
}

/** A request as a command: to a gateway, or to the ports that the commands for Docker publish. */
function requestFor(
	{ path, options, needsTls }: Example,
	gateway: string | undefined,
): string {
	if (gateway !== undefined)
		return `curl ${options} ${gateway.replace(/\/+$/, "")}${path}`;
	return needsTls
		? `curl -k ${options} https://localhost:8443${path}`
		: `curl ${options} http://localhost:8000${path}`;
}

/** Adds the plugin to a file of the user's. */
async function addTo(options: Options): Promise<void> {
	const {
		addTo: file = "",
		alg,
		key,
		discovery,
		audience,
		claims,
		auth,
	} = options;
	if (options.url !== undefined)
		throw new BadUse(
			"--url is for a new file: with --add-to the Service has its URL",
		);
	const gateway = options.gateway ?? (await one(GATEWAY));
	const issuer = await issuerFor(auth ?? [], options.issuer);
	const keys = join(options.out ?? dirname(file), "keys");
	const ignore = join(keys, ".gitignore");
	// Before a key is written that nobody would use.
	const add = additionTo(file, {
		gateway,
		issuer,
		discovery,
		audience,
		claims,
		...(options.service !== undefined && { service: options.service }),
		...(auth && { auth: [...new Set(auth)] }),
	});
	refuseThere([...keyFilesIn(keys), ignore], "give another --out");
	const jwk =
		key === undefined ? await generateKey(alg ?? "ES256") : ownKey(key);
	const { text, added, warnings } = add(publishedHalf(jwk, "the key").jwk);
	warnings.forEach(warn);
	mkdir(keys);
	writeAtomically(ignore, "*\n", 0o644);
	const files = writeKeyFiles(jwk, keys, false);
	writeAtomically(file, text, statSync(file).mode & 0o777);
	print(
		`${Object.values(files).join("\n")}\n${added.map((line) => `${file}: ${line}\n`).join("")}\n${stepsFor(
			options.target ?? "existing",
			{
				file,
				privateKey: files.private,
				requests: [],
				hasMtls: auth?.includes("mtls") ?? false,
			},
		)}`,
	);
}

const SERVICE = {
	option: "--service <name>",
	message: "What is the Kong Service called?",
	initial: "orders",
	fault: faultBy(name),
};
const URL_OF_BACKEND = {
	option: "--url <url>",
	message: "Which URL has its backend, as Kong reaches it?",
	initial: "http://orders:8080",
	fault: faultBy(url),
};
const GATEWAY = {
	option: "--gateway <url>",
	message: "Which URL has your gateway, as backends reach it?",
	initial: "https://api.example.com",
	fault: faultBy(url),
};
const ISSUER = {
	option: "--issuer <url>",
	message: "Which issuer (iss) has your identity provider?",
	fault: faultBy(url),
};
const FOLDER = {
	option: "--out <folder>",
	message: "Which folder is made for the files?",
	initial: "x-custom-jwt",
};
const METHODS = {
	option: "--auth <method...>",
	message: "How do clients authenticate?",
	initial: "key",
	several: true,
	choices: {
		key: "API key (key-auth)",
		basic: "user name and password (basic-auth)",
		jwt: "tokens that clients sign themselves (jwt)",
		mtls: "client certificates, verified by Kong's listener",
		oidc: "tokens of an identity provider (openid-connect, Kong Enterprise)",
	} satisfies Record<Auth, string>,
};
const TARGET = {
	option: "--target <kong>",
	message: "Which Kong is it for?",
	initial: "docker",
	choices: TARGETS,
};

async function one(question: Question): Promise<string> {
	const [answer = ""] = await ask(question);
	return answer;
}

async function issuerFor(
	auth: readonly Auth[],
	given: string | undefined,
): Promise<string | undefined> {
	if (!auth.includes("oidc")) return given;
	return given ?? one(ISSUER);
}

/** What is wrong with a text, by the rule of an option. */
function faultBy(rule: (text: string) => string) {
	return (text: string) => {
		try {
			rule(text);
			return undefined;
		} catch (error) {
			return (error as Error).message;
		}
	};
}

function keyFilesIn(folder: string): string[] {
	return Object.values(KEY_FILES).map((file) => join(folder, file));
}

/** @throws {BadUse} before a key is written that nobody would use */
function refuseThere(paths: string[], cure: string): void {
	for (const path of paths)
		if (existsSync(path)) throw new BadUse(`${path} is there already: ${cure}`);
}

function mkdir(folder: string): void {
	try {
		mkdirSync(folder, { recursive: true });
	} catch (error) {
		throw new BadUse(`${folder} cannot be made: ${errorCode(error)}`);
	}
}

/** The private JWK of a file. */
function ownKey(file: string): JWK {
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
