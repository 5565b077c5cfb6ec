/** The command `x-custom-jwt`: its commands, their help, their exit codes. */
import { statSync } from "node:fs";
import {
	Command,
	CommanderError,
	InvalidArgumentError,
	Option,
} from "commander";
import { applyEdits, readConfiguration } from "../declarative/text";
import type { StartOptions } from "../local/demo/start";
import { version } from "../package.json";
import { Name } from "../plugins/x-custom-jwt";
import { toRefusal } from "../plugins/x-custom-jwt/errors";
import { checkConfiguration } from "./check";
import { BadUse, writeAtomically, writeNew } from "./files";
import {
	ALGORITHMS,
	generateKey,
	json,
	keyPem,
	publicSet,
	readKey,
	thumbprints,
	writeKeyFiles,
} from "./keys";
import {
	baseUrl,
	describeRequest,
	pushSchema,
	REGIONS,
	readAccessToken,
} from "./konnect";
import { iso, printable } from "./print";
import {
	activate,
	currentAlg,
	diffOf,
	type Outcome,
	publish,
	retire,
} from "./rotate";
import {
	type Decoded,
	decodeToken,
	loadJwks,
	readToken,
	type Verdict,
	verifyToken,
} from "./token";

/** The question was answered, or the step taken. */
const OK = 0;
/** The answer is no: not verified, faults found, the step refused. */
const NO = 1;
/** No answer: a wrong option, something that cannot be read or reached. */
const BAD_USE = 2;

const program = new Command("x-custom-jwt")
	.description("Keys, tokens and configuration of the Kong plugin x-custom-jwt")
	.version(version)
	.exitOverride()
	.showHelpAfterError("(--help explains, with an example)")
	.addHelpText(
		"after",
		`
Exit codes: 0 done or yes, 1 no, 2 no answer (a wrong option, a file or URL that cannot be read).

Example:
  $ x-custom-jwt keys generate --alg ES256 --out keys/2027
  $ x-custom-jwt config check kong.yml`,
	);

program
	.command("gateway")
	.description(
		"run plugin server, local gateway and sample backend, to try it all",
	)
	.option(
		"--check",
		"run every flow of the examples, print a line for each, and exit",
		false,
	)
	.option(
		"--config <file...>",
		"declarative configuration (default: the examples kong.yml and kong-enterprise.yml, whose iss and aud the backend expects)",
	)
	.option("--http-port <number>", "default 8000; a free one with --check", port)
	.option(
		"--https-port <number>",
		"default 8443; a free one with --check",
		port,
	)
	.option(
		"--backend-port <number>",
		"default 9000; a free one with --check",
		port,
	)
	.option("--resolve <host:port=address...>", "where a host really is", [])
	.option(
		"--dedicated",
		"run the plugin in its own hardened plugin server, not in the stock one",
		false,
	)
	.option(
		"--verbose",
		"log at level info, the plugin server's output too",
		false,
	)
	.addHelpText("after", "\nExample:\n  $ x-custom-jwt gateway --check")
	.action(async (options: StartOptions) => {
		// Loaded only when wanted: no other command needs it.
		const { start } =
			require("../local/demo/start") as typeof import("../local/demo/start");
		await start(options).catch(
			(error: NodeJS.ErrnoException & { port?: number }) => {
				throw new BadUse(
					error.code === "EADDRINUSE"
						? `port ${error.port} is taken; see --http-port, --https-port and --backend-port`
						: error.message,
				);
			},
		);
	});

function port(text: string): number {
	if (/^\d{1,5}$/.test(text) && Number(text) <= 65535) return Number(text);
	throw new InvalidArgumentError("A port is expected.");
}

/** Seconds since the epoch. */
function now(): number {
	return Date.now() / 1000;
}

function print(text: string): void {
	process.stdout.write(text.endsWith("\n") ? text : `${text}\n`);
}

const asJson = () =>
	new Option("--json", "print JSON, for scripts").default(false);

const keys = program
	.command("keys")
	.description("generate, convert and rotate keys");

keys
	.command("generate")
	.description(
		"generate a key pair: private JWK (mode 0600), public JWK, JWK Set, public PEM",
	)
	.addOption(
		new Option("--alg <alg>", "JWS algorithm")
			.choices(ALGORITHMS)
			.default("RS256"),
	)
	.option("--kid <id>", "key ID (default: the JWK Thumbprint, RFC 7638)", kid)
	.addOption(
		new Option("--bits <bits>", "size of an RSA key (default: 2048)").choices([
			"2048",
			"3072",
			"4096",
		]),
	)
	.requiredOption("--out <folder>", "where the files go")
	.option("--force", "overwrite files that are there", false)
	.addOption(asJson())
	.addHelpText(
		"after",
		`
Example:
  $ x-custom-jwt keys generate --alg ES256 --out keys/2027
  $ ls keys/2027
  private-jwk.json  public-jwk.json  public-jwks.json  public.pem`,
	)
	.action(async ({ alg, kid, bits, out, force, json: wantsJson }) => {
		const jwk = await generateKey(alg, kid, bits && Number(bits));
		const files = writeKeyFiles(jwk, out, force);
		print(
			wantsJson
				? json({ kid: jwk.kid, alg, files })
				: `${alg} key ${jwk.kid}\n${Object.values(files).join("\n")}`,
		);
	});

keys
	.command("public")
	.description("print one JWK Set of the public halves of keys")
	.argument(
		"<file...>",
		"JWKs or JWK Sets, private or public; - is standard input",
	)
	.addHelpText(
		"after",
		`
Example, two keys as a JWKS route serves them while one replaces the other:
  $ x-custom-jwt keys public keys/2026/private-jwk.json keys/2027/public-jwk.json`,
	)
	.action((files: string[]) => print(json(publicSet(files))));

keys
	.command("pem")
	.description("print a JWK's public key as PEM (SPKI)")
	.argument("<file>", "a JWK; - is standard input")
	.option("--private", "the private key instead (PKCS #8)", false)
	.addHelpText(
		"after",
		`
Example, for rsa_public_key of a jwt credential in Kong:
  $ x-custom-jwt keys pem keys/2027/public-jwk.json`,
	)
	.action((file: string, options) => print(keyPem(file, options.private)));

keys
	.command("thumbprint")
	.description("print the JWK Thumbprints of keys (RFC 7638, SHA-256)")
	.argument("<file...>", "JWKs or JWK Sets; - is standard input")
	.addOption(asJson())
	.addHelpText(
		"after",
		`
Both halves of a key have the same thumbprint. Example:
  $ x-custom-jwt keys thumbprint keys/2027/private-jwk.json keys/2027/public-jwk.json`,
	)
	.action(async (files: string[], options) => {
		const found = await thumbprints(files);
		if (options.json) return print(json(found));
		for (const { thumbprint, file, kid } of found)
			print(printable(`${thumbprint}  ${file}${kid ? `  ${kid}` : ""}`));
	});

const rotate = keys
	.command("rotate")
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
	);

function step(name: string, description: string, example: string): Command {
	return rotate
		.command(name)
		.description(description)
		.requiredOption(
			"--config <file...>",
			"declarative configuration, all files that belong together",
		)
		.option("--plugin <name>", "name of the plugin", Name)
		.option("--route <name>", "only the plugin entry on this route")
		.option("--service <name>", "only the plugin entry on this service")
		.option("--dry-run", "show what would change, write nothing", false)
		.addOption(asJson())
		.addHelpText(
			"after",
			`\nExample:\n  $ x-custom-jwt keys rotate ${example}`,
		);
}

const CACHE_MAX_AGE = [
	"--cache-max-age <seconds>",
	"how long backends may keep a JWK Set",
	seconds,
	3600,
] as const;
const MARGIN = [
	"--margin <seconds>",
	"time for a deployment to reach all data planes",
	seconds,
	300,
] as const;

step(
	"publish",
	"first step: the new public key joins the JWK Set, signing is unchanged",
	"publish --config kong.yml --private-out new-jwk.json",
)
	.option("--key <file>", "the new key, private or public, if there is one")
	.option(
		"--private-out <file>",
		"generate it and write the private JWK here (mode 0600)",
	)
	.addOption(
		new Option(
			"--alg <alg>",
			"algorithm of a generated key (default: the present one)",
		).choices(ALGORITHMS),
	)
	.option(...CACHE_MAX_AGE)
	.option(...MARGIN)
	.action(async (options) => {
		const configuration = readConfiguration(options.config);
		const { key, privateOut } = options;
		if (Boolean(key) === Boolean(privateOut))
			throw new BadUse("one of --key and --private-out is expected");
		const jwk = key
			? readKey(key)
			: await generateKey(
					options.alg ?? (await currentAlg(configuration, options)),
				);
		const outcome = await publish(configuration, options, jwk, options, now());
		if (privateOut && !options.dryRun) writeNew(privateOut, json(jwk), 0o600);
		conclude(outcome, options);
	});

step(
	"activate",
	"second step: the new key signs; where a vault holds it, record that it does",
	"activate --config kong.yml --key new-jwk.json",
)
	.option("--key <file>", "the new key: private, unless a vault holds it")
	.option(
		"--replaces <kid>",
		"the key that signs now, where the file does not show it",
	)
	.option(...CACHE_MAX_AGE)
	.option(...MARGIN)
	.option("--force", "although backends may not have the new key yet", false)
	.action(async (options) => {
		const key = options.key && readKey(options.key);
		const configuration = readConfiguration(options.config);
		conclude(
			await activate(configuration, options, { ...options, key }, now()),
			options,
		);
	});

step(
	"retire",
	"third step: the old public key leaves when all tokens it signed have expired",
	"retire --config kong.yml --dry-run",
)
	.option(
		"--force",
		"although its tokens may be in use, as for a stolen key",
		false,
	)
	.action(async (options) => {
		const configuration = readConfiguration(options.config);
		conclude(
			await retire(configuration, options, options.force, now()),
			options,
		);
	});

/** Makes the edits of a step, or shows them, and says what came of it. */
function conclude(
	{ done, message, notes, allowedAt, edits }: Outcome,
	{ dryRun, json: wantsJson }: { dryRun: boolean; json: boolean },
): void {
	process.exitCode = done ? OK : NO;
	const diff = dryRun ? edits.map(diffOf).join("") : undefined;
	const files = applyEdits(edits);
	if (!dryRun)
		for (const { path, text } of files)
			writeAtomically(path, text, statSync(path).mode & 0o777);
	if (wantsJson) {
		const paths = files.map(({ path }) => path);
		const at = allowedAt === undefined ? {} : { allowedAt: iso(allowedAt) };
		print(json({ done, message, notes, ...at, files: paths, diff }));
	} else {
		if (diff) print(printable(diff));
		print(printable(done ? message : `refused: ${message}`));
		for (const note of notes) print(printable(`- ${note}`));
	}
}

function seconds(text: string): number {
	const number = Number(text);
	if (text && Number.isFinite(number) && number >= 0) return number;
	throw new InvalidArgumentError("Seconds are expected.");
}

const token = program.command("token").description("look into tokens");

token
	.command("decode")
	.description("print a token's header, claims and times; verifies nothing")
	.argument("<token>", "JWT, with or without Bearer; - is standard input")
	.addOption(asJson())
	.addHelpText(
		"after",
		`
On standard input the token stays out of the shell's history. Example:
  $ echo "$TOKEN" | x-custom-jwt token decode -`,
	)
	.action((argument: string, options) => {
		const decoded = decodeToken(readToken(argument), now());
		if (options.json) return print(json(decoded));
		printDecoded(decoded);
		print("\nnot verified: token verify does that");
	});

token
	.command("verify")
	.description("verify a token's signature, times, issuer and audience")
	.argument("<token>", "JWT, with or without Bearer; - is standard input")
	.requiredOption("--jwks <file or url>", "JWK Set to verify with")
	.option("--iss <issuer>", "the claim iss must be this")
	.option("--aud <audience>", "the claim aud must be or contain this")
	.addOption(
		new Option(
			"--alg <alg...>",
			"accepted algorithms (default: all of a key pair)",
		).choices(ALGORITHMS),
	)
	.addOption(asJson())
	.addHelpText(
		"after",
		`
The URL in the token's own jku is never fetched. Keys of a private CA: set NODE_EXTRA_CA_CERTS. Example:
  $ echo "$TOKEN" | x-custom-jwt token verify - --jwks http://localhost:8000/x-custom-jwt/jwks \\
      --iss https://kong-gateway:8443/x-custom-jwt --aud http://httpbin:9000/anything`,
	)
	.action(async (argument: string, options) => {
		const text = readToken(argument);
		const time = now();
		const verdict = await verifyToken(text, {
			keys: await loadJwks(options.jwks),
			issuer: options.iss,
			audience: options.aud,
			algorithms: options.alg ?? ALGORITHMS,
			now: time,
		});
		process.exitCode = verdict.verified ? OK : NO;
		const decoded = decodedOf(text, time);
		const notes = [...verdict.notes, ...notesOn(decoded, options)];
		if (options.json) return print(json({ ...verdict, notes, ...decoded }));
		if (decoded) printDecoded(decoded);
		printVerdict({ ...verdict, notes });
	});

const config = program
	.command("config")
	.description("look into declarative configuration");

config
	.command("check")
	.description(
		"check every plugin entry of x-custom-jwt, its key and the JWK Set its jku leads to",
	)
	.argument(
		"<file...>",
		"YAML or JSON for DB-less Kong or decK; several make up one configuration",
	)
	.addOption(asJson())
	.addHelpText(
		"after",
		`
The exit code is 1 when there is an error; warnings and infos are for you to judge. Example:
  $ x-custom-jwt config check kong.yml kong-enterprise.yml`,
	)
	.action(async (files: string[], options) => {
		const findings = await checkConfiguration(readConfiguration(files));
		const errors = findings.filter(({ severity }) => severity === "error");
		process.exitCode = errors.length ? NO : OK;
		if (options.json) return print(json(findings));
		for (const { file, line, column, severity, message } of findings)
			print(printable(`${file}:${line}:${column} ${severity}: ${message}`));
		print(
			`${errors.length} errors, ${findings.length - errors.length} other findings`,
		);
	});

const konnect = program
	.command("konnect")
	.description("bring the plugin to Konnect");

konnect
	.command("push-schema")
	.description(
		"create or update the plugin's schema in a control plane, before data planes have the plugin",
	)
	.requiredOption("--control-plane <id>", "the control plane's id", uuid)
	.addOption(
		new Option("--region <region>", "Konnect's region")
			.choices(REGIONS)
			.default("us"),
	)
	.option("--url <url>", "another API host instead of the region's")
	.option(
		"--token-file <file>",
		"holds the access token; - is standard input (default: the variable KONNECT_TOKEN)",
	)
	.option("--dry-run", "print the request, send nothing", false)
	.addOption(asJson())
	.addHelpText(
		"after",
		`
Example:
  $ KONNECT_TOKEN=kpat_... x-custom-jwt konnect push-schema --region eu \\
      --control-plane 5d9a3c1e-0f52-4c8b-9a51-6a2f7d1e8b90`,
	)
	.action(async (options) => {
		const { controlPlane, region, url, tokenFile, dryRun } = options;
		const target = { url: baseUrl(region, url), controlPlane };
		if (dryRun) return print(describeRequest(target));
		const upload = await pushSchema(target, readAccessToken(tokenFile));
		process.exitCode = upload.done ? OK : NO;
		print(options.json ? json(upload) : printable(upload.message));
	});

function uuid(text: string): string {
	if (/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text)) return text;
	throw new InvalidArgumentError("A UUID is expected.");
}

function decodedOf(text: string, time: number): Decoded | undefined {
	try {
		return decodeToken(text, time);
	} catch {
		// The verdict says why.
		return undefined;
	}
}

function notesOn(
	decoded: Decoded | undefined,
	{ jwks, iss, aud }: { jwks: string; iss?: string; aud?: string },
): string[] {
	const jku = decoded?.header.jku;
	const unchecked = [!iss && "--iss", !aud && "--aud"].filter(Boolean);
	return [
		...(jku === undefined || jku === jwks
			? []
			: ["the token's own jku was not fetched: a forger writes it too"]),
		...(unchecked.length
			? [`not checked for want of ${unchecked.join(" and ")}`]
			: []),
	];
}

function printDecoded({ header, claims, times }: Decoded): void {
	print(`header ${printable(json(header))}`);
	print(`claims ${printable(json(claims))}`);
	for (const [claim, text] of Object.entries(times)) print(`${claim}  ${text}`);
}

function printVerdict({ verified, reason, signedBy, notes }: Verdict): void {
	print("");
	if (signedBy) print(`signature verified with ${signedBy}`);
	for (const note of notes) print(`note: ${note}`);
	print(verified ? "VERIFIED" : `NOT VERIFIED: ${reason}`);
}

function kid(text: string): string {
	if (/^[^\n\t]+$/.test(text) && printable(text) === text) return text;
	throw new InvalidArgumentError("A text on one line is expected.");
}

/** The process's exit code for what a command threw; what it threw is printed. */
function failed(error: unknown): number {
	// Its message has been printed, help and version among them.
	if (error instanceof CommanderError)
		return error.exitCode === 0 ? OK : BAD_USE;
	// An unforeseen error may quote what it choked on, such as a key.
	const message =
		error instanceof BadUse ? error.message : toRefusal(error).message;
	console.error(`x-custom-jwt: ${printable(message)}`);
	return BAD_USE;
}

// Whoever read the output has seen enough, e.g. head.
process.stdout.on("error", ({ code }: NodeJS.ErrnoException) => {
	if (code !== "EPIPE") process.exitCode = BAD_USE;
});
program.parseAsync().catch((error: unknown) => {
	process.exitCode = failed(error);
});
