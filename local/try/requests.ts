/** The requests that a file can be tried with: one for each consumer credential and route. */
import {
	createPrivateKey,
	createPublicKey,
	createSecretKey,
	randomBytes,
	randomUUID,
} from "node:crypto";
import { type JWTPayload, SignJWT } from "jose";
import { matchPath } from "../../declarative/paths";
import { makeRouter, type RoutedRequest } from "../../declarative/router";
import { generateKey } from "../../jwk/generate";
import { publicHalf } from "../../jwk/public-half";
import { signToken, testKey, testKeyPath } from "../demo/flows";
import {
	type Consumer,
	type Credential,
	type Entities,
	hashOfPassword,
	type PluginEntity,
	type ServedRoute,
} from "../gateway/entities";
import type { Gateway } from "../gateway/gateway";
import { isAllowed } from "../gateway/plugins/acl";
import { type Reply, send } from "../http";
import { incomingToken } from "../inspector/inspector";
import { sampleOf } from "./sample";

/** A request to try a file with. */
export interface TryRequest {
	/** Whose it is and where it goes. */
	name: string;
	/** Status of the response that the file asks for. */
	status: number;
	/** The file says which client it is in more ways than are imitated here. */
	anyClient: true;
	/** The token that the client sends; none when it shows who it is in another way. */
	incoming?: string;
	/** The request as a command to paste. */
	curl: string;
	send(): Promise<Reply>;
}

/** What a client sends to show who it is. */
interface Proof {
	label: string;
	headers: Record<string, string>;
	query: string;
	consumer?: Consumer;
	/** The method of x-custom-jwt that this is. */
	method: string;
	needsCertificate?: boolean;
}

/** The plugin that the tokens are of. */
const PLUGIN = "x-custom-jwt";

/**
 * Makes the requests. Where the file has no password or private key of a credential, a throw-away one is added beside it.
 *
 * @param remark is given what to say of throw-away credentials, and of requests that another route would get
 */
export async function makeRequests(
	entities: Entities,
	gateway: Gateway,
	remark: (text: string) => void,
): Promise<TryRequest[]> {
	const { routes } = entities;
	const own = routes.filter((route) => entryOn(route));
	const router = makeRouter(routes, ({ matchable }) => matchable);
	const tried = own.length > 0 ? own : routes.filter(needsProof);
	addCredentials(entities, tried, remark);
	const secrets = new Secrets(entities, remark);
	const requests: TryRequest[] = [];
	for (const route of tried) {
		const target = targetOf(route);
		if (!target) {
			remark(
				`route ${route.entity.name}: no request is offered, because no example of its path or headers could be made`,
			);
			continue;
		}
		const winner = router(target.routed)[0]?.route;
		if (winner !== route)
			remark(
				`route ${route.entity.name}: Kong sends ${target.routed.path} to ${winner ? `route ${winner.entity.name}` : "no route"}`,
			);
		for (const proof of await proofsFor(route, entities, secrets))
			requests.push(requestOf(route, target, proof, entities, gateway));
	}
	return withNamesOfTheirOwn(requests);
}

function withNamesOfTheirOwn(requests: TryRequest[]): TryRequest[] {
	const counts = new Map<string, number>();
	return requests.map((request) => {
		const count = (counts.get(request.name) ?? 0) + 1;
		counts.set(request.name, count);
		return count > 1
			? { ...request, name: `${request.name} (${count})` }
			: request;
	});
}

function entryOn({ plugins }: ServedRoute): PluginEntity | undefined {
	return plugins.find(({ name }) => name === PLUGIN);
}

function needsProof({ plugins }: ServedRoute): boolean {
	return plugins.some(({ name }) => name in METHODS);
}

/** The security plugins that clients can pass here, and the method of x-custom-jwt that each is. */
const METHODS: Record<string, string> = {
	"basic-auth": "basic",
	jwt: "jwt",
	"key-auth": "key",
	"openid-connect": "oidc",
};

/** Adds a throw-away consumer with a credential of each kind that routes ask for and no consumer of the file has. */
function addCredentials(
	entities: Entities,
	routes: ServedRoute[],
	remark: (text: string) => void,
): void {
	const { keyAuthCredentials, basicAuthCredentials, jwtSecrets } = entities;
	const lists: Record<string, [Credential[], () => object]> = {
		"key-auth": [keyAuthCredentials, () => ({ key: secret() })],
		"basic-auth": [
			basicAuthCredentials,
			() => ({ username: "throw-away", password: "" }),
		],
		jwt: [
			jwtSecrets,
			() => ({ key: "throw-away", algorithm: "HS256", secret: secret() }),
		],
	};
	const plugins = routes.flatMap((route) => route.plugins);
	const missing = Object.entries(lists).filter(
		([name, [list]]) =>
			list.length === 0 && plugins.some((plugin) => plugin.name === name),
	);
	if (missing.length === 0) return;
	const owner = { id: randomUUID(), username: "throw-away" };
	const owned = (members: object): Credential => ({
		id: randomUUID(),
		created_at: 0,
		consumer: { id: owner.id },
		...members,
	});
	for (const [, [list, make]] of missing) list.push(owned(make()));
	const groups = plugins
		.filter(({ name }) => name === "acl")
		.flatMap(({ config }) => (config.allow as string[] | undefined) ?? []);
	entities.acls.push(...groups.map((group) => owned({ group })));
	entities.consumers.push({ created_at: 0, updated_at: 0, ...owner });
	const kinds = missing.map(([name]) => name).join(", ");
	remark(
		`no consumer of the file has a credential of ${kinds}: the consumer "throw-away" with throw-away credentials is added`,
	);
}

function secret(): string {
	return randomBytes(24).toString("base64url");
}

/** Credentials as clients have them; what the file does not have is made here, once. */
class Secrets {
	readonly #keys = new Map<string, Promise<string>>();
	readonly #passwords = new Map<string, string>();

	constructor(
		readonly entities: Entities,
		readonly remark: (text: string) => void,
	) {}

	password(credential: Credential): string {
		const { entities } = this;
		const known =
			entities.passwords.get(credential.id) ??
			this.#passwords.get(credential.id);
		if (known !== undefined) return known;
		const password = secret();
		this.#passwords.set(credential.id, password);
		entities.basicAuthCredentials.push({
			...credential,
			password: hashOfPassword(password, credential.consumer.id),
		});
		if (credential.password)
			this.remark(
				`the password of basic-auth user ${credential.username} is hashed in the file: a throw-away one works here too`,
			);
		return password;
	}

	/** Signs a token as the owner of a jwt credential does. */
	async token(
		credential: Credential,
		claims: JWTPayload,
		secretIsBase64: boolean,
	): Promise<string> {
		const alg = String(credential.algorithm);
		if (alg.startsWith("HS")) {
			const encoding = secretIsBase64 ? "base64" : "utf8";
			return sign(
				createSecretKey(Buffer.from(String(credential.secret), encoding)),
				alg,
				claims,
			);
		}
		const known = this.#keys.get(credential.id) ?? this.#makeKey(credential);
		this.#keys.set(credential.id, known);
		return sign(createPrivateKey(await known), alg, claims);
	}

	async #makeKey(credential: Credential): Promise<string> {
		const jwk = await generateKey(String(credential.algorithm));
		const form = { format: "jwk" } as const;
		this.entities.jwtSecrets.push({
			...credential,
			rsa_public_key: createPublicKey({ key: { ...publicHalf(jwk) }, ...form })
				.export({ type: "spki", format: "pem" })
				.toString(),
		});
		this.remark(
			`the file has only the public key of jwt credential ${credential.key}: a throw-away key works here too`,
		);
		return createPrivateKey({ key: { ...jwk }, ...form })
			.export({ type: "pkcs8", format: "pem" })
			.toString();
	}
}

function sign(
	key: ReturnType<typeof createSecretKey>,
	alg: string,
	claims: JWTPayload,
): Promise<string> {
	const exp = Math.floor(Date.now() / 1000) + 3600;
	return new SignJWT({ exp, ...claims }).setProtectedHeader({ alg }).sign(key);
}

/** All ways to pass the security plugins of a route; one without a proof where nothing is asked for. */
async function proofsFor(
	route: ServedRoute,
	entities: Entities,
	secrets: Secrets,
): Promise<Proof[]> {
	const entry = entryOn(route);
	const security = route.plugins.filter(({ name }) => name in METHODS);
	const lists = await Promise.all(
		security.map((plugin) => proofsOf(plugin, entry, entities, secrets)),
	);
	const isOneEnough = security.some(({ config }) => config.anonymous);
	const [first, ...others] = lists;
	if (!first) return [withoutPlugin(entry)];
	const proofs = isOneEnough ? lists.flat() : combined(first, others);
	return proofs.length > 0 ? proofs : [{ ...NOBODY, label: "no credential" }];
}

const NOBODY: Proof = {
	label: "no security plugin",
	headers: {},
	query: "",
	method: "",
};

function withoutPlugin(entry: PluginEntity | undefined): Proof {
	return entry && accepts(entry, "mtls")
		? {
				...NOBODY,
				label: "the test client certificate",
				method: "mtls",
				needsCertificate: true,
			}
		: NOBODY;
}

/** Proofs for every plugin at once, each of one consumer: without an anonymous consumer Kong asks for all. */
function combined(first: Proof[], others: Proof[][]): Proof[] {
	return first.flatMap((proof) => {
		let all: Proof | undefined = proof;
		for (const list of others) {
			const { consumer }: Proof = proof;
			const one: Proof | undefined = list.find(
				(other) => other.consumer?.id === consumer?.id,
			);
			all = all && one && merged(all, one);
		}
		return all ? [all] : [];
	});
}

function merged(a: Proof, b: Proof): Proof {
	// Both in Authorization: Kong's jwt plugin takes a token from the query too.
	const moved = a.headers.authorization && b.headers.authorization;
	const [first, second] = moved ? [inQuery(a), inQuery(b)] : [a, b];
	return {
		...b,
		label: `${a.label} and ${b.label}`,
		headers: { ...first.headers, ...second.headers },
		query: [first.query, second.query].filter(Boolean).join("&"),
	};
}

/** A proof whose token is in the query string instead of a header. */
function inQuery(proof: Proof): Proof {
	const { authorization, ...headers } = proof.headers;
	const [, token] = /^Bearer (.+)$/.exec(authorization ?? "") ?? [];
	return token ? { ...proof, headers, query: `jwt=${token}` } : proof;
}

async function proofsOf(
	{ name, config }: PluginEntity,
	entry: PluginEntity | undefined,
	entities: Entities,
	secrets: Secrets,
): Promise<Proof[]> {
	const method = METHODS[name] ?? "";
	const ofConsumer = (credential: Credential) =>
		entities.consumers.find(({ id }) => id === credential.consumer.id);
	const proof = (
		credential: Credential,
		shown: Pick<Proof, "headers"> & { query?: string },
	): Proof => {
		const consumer = ofConsumer(credential);
		// A key of key-auth is a secret; the others' names are not.
		const which = { "basic-auth": credential.username, jwt: credential.key };
		const own = which[name as keyof typeof which];
		const label = `consumer ${nameOf(consumer)}, ${name}${own === undefined ? "" : ` of ${own}`}`;
		return { label, method, consumer, query: "", ...shown };
	};
	// Copies, because throw-away credentials are added meanwhile.
	if (name === "key-auth") {
		const [header = "apikey"] = (config.key_names as string[]) ?? [];
		return entities.keyAuthCredentials.map((credential) =>
			proof(credential, { headers: { [header]: String(credential.key) } }),
		);
	}
	if (name === "basic-auth")
		return [...entities.basicAuthCredentials].map((credential) => {
			const login = `${credential.username}:${secrets.password(credential)}`;
			const encoded = Buffer.from(login).toString("base64");
			return proof(credential, {
				headers: { authorization: `Basic ${encoded}` },
			});
		});
	if (name === "jwt")
		return Promise.all(
			[...entities.jwtSecrets].map(async (credential) => {
				const claims = {
					...clientClaims(entry, nameOf(ofConsumer(credential))),
					[String(config.key_claim_name ?? "iss")]: credential.key,
				};
				const isBase64 = config.secret_is_base64 === true;
				const token = await secrets.token(credential, claims, isBase64);
				return proof(credential, {
					headers: { authorization: `Bearer ${token}` },
				});
			}),
		);
	const token = await signToken("idp-jwk-private.json", {
		iss: String(config.issuer),
		sub: "alice",
		...clientClaims(entry, "example-client"),
	});
	return [
		{
			label: "openid-connect, a token of the test identity provider",
			headers: { authorization: `Bearer ${token}` },
			query: "",
			method,
		},
	];
}

/** The claim of a client's token that becomes `client_id`. */
function clientClaims(
	entry: PluginEntity | undefined,
	client: string,
): JWTPayload {
	const { bearer_clientid_claim: wanted } = entry?.config ?? {};
	const [name = "", ...inner] = String(wanted ?? "clientId").split(".");
	return {
		[name]: inner.reduceRight<unknown>(
			(value, member) => ({ [member]: value }),
			client,
		),
	};
}

function nameOf(consumer: Consumer | undefined): string {
	const { username, custom_id, id } = consumer ?? {};
	return username ?? custom_id ?? id ?? "unknown";
}

/** Where a request goes so that Kong chooses a route. */
interface Target {
	routed: RoutedRequest;
	/** Headers that the route asks for. */
	headers: Record<string, string>;
}

function targetOf({ entity, matchable }: ServedRoute): Target | undefined {
	const { hosts, methods, snis, headers = {} } = matchable;
	const path = pathOf(matchable.paths ?? []);
	const wanted = Object.entries(headers).map(
		([name, [value = ""]]) =>
			[
				name,
				value.startsWith("~*") ? sampleOf(value.slice(2)) : value,
			] as const,
	);
	if (path === undefined || wanted.some(([, value]) => value === undefined))
		return undefined;
	const scheme =
		snis?.length || !entity.protocols.includes("http") ? "https" : "http";
	const host = hosts?.[0]?.replace("*", "example");
	const [, name = host, port] = /^([^:]*):(\d+)$/.exec(host ?? "") ?? [];
	const own = Object.fromEntries(wanted) as Record<string, string>;
	return {
		routed: {
			method:
				!methods?.length || methods.includes("GET")
					? "GET"
					: String(methods[0]),
			scheme,
			host: name ?? "localhost",
			ports: [Number(port ?? 0)],
			path,
			...(snis?.[0] && { sni: snis[0].replace("*", "example") }),
			headers: Object.fromEntries(
				Object.entries(own).map(([header, value]) => [
					header.toLowerCase(),
					[value],
				]),
			),
		},
		headers: { ...(host !== undefined && { Host: host }), ...own },
	};
}

/** A path that one of a route's paths matches. */
function pathOf(paths: readonly string[]): string | undefined {
	if (paths.length === 0) return "/";
	for (const path of paths) {
		const sample = path.startsWith("~") ? sampleOf(path.slice(1)) : path;
		if (sample !== undefined && matchPath(path, sample)) return sample;
	}
	return undefined;
}

function requestOf(
	route: ServedRoute,
	{ routed, headers: asked }: Target,
	{ label, headers: shown, query, needsCertificate, ...proof }: Proof,
	entities: Entities,
	{ httpUrl, httpsUrl, certificate }: Gateway,
): TryRequest {
	const isTls = needsCertificate || routed.scheme === "https";
	const { method, sni } = routed;
	const base = new URL(isTls ? httpsUrl : httpUrl);
	const target = routed.path + (query && `?${query}`);
	const headers = { ...asked, ...shown };
	const port = Number(base.port);
	const authority = sni ? `${sni}:${port}` : base.host;
	const client = {
		cert: testKey("client-cert.pem"),
		key: testKey("client-key.pem"),
	};
	return {
		name: `route ${route.entity.name}: ${label}`,
		status: statusOf(route, proof, entities),
		anyClient: true,
		incoming: incomingToken(headers, target),
		curl: [
			"curl",
			...(isTls ? ["-k"] : []),
			...(sni ? [`--resolve ${sni}:${port}:127.0.0.1`] : []),
			...(method === "GET" ? [] : [`-X ${method}`]),
			...(needsCertificate
				? [
						`--cert ${testKeyPath("client-cert.pem")} --key ${testKeyPath("client-key.pem")}`,
					]
				: []),
			...Object.entries(headers).map(([name, value]) => option(name, value)),
			quoted(`${base.protocol}//${authority}${target}`),
		].join(" "),
		send: () =>
			send(base.origin + target, {
				method,
				headers: Object.fromEntries(
					Object.entries(headers).map(([name, value]) => [
						name,
						// As curl sends it.
						Buffer.from(value).toString("latin1"),
					]),
				),
				...(isTls && {
					ca: certificate,
					servername: sni ?? "localhost",
					rejectUnauthorized: false,
				}),
				...(needsCertificate && client),
			}),
	};
}

function option(name: string, value: string): string {
	const [, encoded] = /^Basic (.+)$/.exec(value) ?? [];
	return encoded
		? `-u ${quoted(Buffer.from(encoded, "base64").toString())}`
		: `-H ${quoted(`${name}: ${value}`)}`;
}

/** A text as one word of a shell. */
function quoted(text: string): string {
	return `'${text.replaceAll("'", "'\\''")}'`;
}

/** The status that the file asks for. */
function statusOf(
	{ plugins, service }: ServedRoute,
	{ method, consumer }: Pick<Proof, "method" | "consumer">,
	{ acls }: Entities,
): number {
	const acl = plugins.find(({ name }) => name === "acl");
	const entry = plugins.find(({ name }) => name === PLUGIN);
	const answer = plugins.find(({ name }) => name === "request-termination");
	const isGuarded = plugins.some(({ name }) => name in METHODS);
	if ((isGuarded && !method) || (acl && !consumer)) return 401;
	if (acl && consumer) {
		const groups = acls
			.filter((membership) => membership.consumer.id === consumer.id)
			.map(({ group }) => String(group));
		if (!isAllowed(acl.config, groups)) return 403;
	}
	if (entry && !method)
		return entry.config.unauthenticated === "pass" ? 200 : 401;
	if (entry && !accepts(entry, method)) return 401;
	if (answer) return Number(answer.config.status_code ?? 503);
	return service ? 200 : 503;
}

function accepts({ config }: PluginEntity, method: string): boolean {
	const { auth_methods: methods } = config;
	return Array.isArray(methods) ? methods.includes(method) : method !== "oidc";
}
