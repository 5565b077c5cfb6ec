/** The command `x-custom-jwt`: its commands, their help, their exit codes. */
import {
	Command,
	CommanderError,
	InvalidArgumentError,
	Option,
} from "commander";
import { version } from "../package.json";
import { toRefusal } from "../plugins/x-custom-jwt/errors";
import { checkConfiguration } from "./check";
import { readConfiguration } from "./configuration";
import { BadUse } from "./files";
import {
	ALGORITHMS,
	generateKey,
	json,
	keyPem,
	publicSet,
	thumbprints,
	writeKeyFiles,
} from "./keys";
import { printable } from "./print";
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
	.description("check every plugin entry of x-custom-jwt, its key and the JWK Set its jku leads to")
	.argument("<file...>", "YAML or JSON for DB-less Kong or decK; several make up one configuration")
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
		print(`${errors.length} errors, ${findings.length - errors.length} other findings`);
	});

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
	if (text && printable(text) === text) return text;
	throw new InvalidArgumentError("A text is expected.");
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

program.parseAsync().catch((error: unknown) => {
	process.exitCode = failed(error);
});
