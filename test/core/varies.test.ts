/**
 * With `reuse_for`, two requests that differ only in one variable, or in what one field of the configuration
 * reads, get two tokens; two equal requests share one.
 */

import { VARIABLES } from "../../core/variables";
import { makeCertificate } from "../../local/gateway/certificate";
import { Plugin } from "../../plugins/x-custom-jwt";
import type { ConfigFields } from "../../schema/fields";
import { FIELD_VARIES } from "../../schema/varies";
import type { KnownRequest } from "../support/facts";
import { runOn } from "../support/run";
import {
	anonymous,
	consumer,
	credentials,
	rawConfig,
	requests,
	route,
	service,
	unsignedToken,
} from "../support/samples";

/** What a plugin entry can be configured on. */
const SCOPES = {
	service: { service_id: service.id },
	route: { route_id: route.id },
	everything: {},
};

/** Requests of which no two may share a token. */
interface Row {
	requests: KnownRequest[];
	config?: object;
	/** Only on these can requests differ so; on all by default. */
	on?: (keyof typeof SCOPES)[];
}

/** One client, whose requests differ in the members given. */
const requestsWith = (...members: KnownRequest[]): KnownRequest[] =>
	members.map((member) => ({ ...requests.key, ...member }));

/** One client with an access token, whose claims differ. */
const tokensWith = (...claims: object[]): KnownRequest[] =>
	claims.map((some) => ({
		...requests.jwt,
		shared: {
			authenticated_jwt_token: unsignedToken({ clientId: "shop", ...some }),
		},
	}));

/** Tokens of issuers that Kong verified: of credentials whose key is the claim `iss`. */
const issuersWith = (...issuers: string[]): KnownRequest[] =>
	issuers.flatMap((iss) =>
		tokensWith({ iss }).map((request) => ({
			...request,
			credential: { ...request.credential, key: iss },
		})),
	);

/** One credential, for which another plugin found different consumers. */
const consumersWith = (...members: object[]): KnownRequest[] =>
	members.map((member) => ({
		...requests.key,
		consumer: { ...consumer, ...member },
	}));

/** One client with different certificates, named as in `CERTIFICATES`. */
const certificatesOf = (...names: string[]): KnownRequest[] =>
	names.map((certificate) => ({
		...requests.key,
		vars: { ssl_client_verify: "SUCCESS" },
		certificate,
	}));

const services = requestsWith(
	{ service: { ...service, name: "orders" } },
	{ service: { ...service, name: "invoices" } },
	{ service },
);
const routes = requestsWith(
	{ route },
	{ route: { ...route, name: "invoices-api" } },
	{ route: { id: route.id } },
);

/** What a request can differ in, by the variable that holds it; a name of one's own is NAME here. */
const VARIABLE_ROWS: Record<string, Row> = {
	"auth.method": {
		requests: [
			{
				...requests.basic,
				credential: { ...credentials.basic, username: "a" },
			},
			{ ...requests.key, credential: { ...credentials.key, key: "a" } },
			{
				...requests.oauth2,
				credential: { ...credentials.oauth2, client_id: "a" },
			},
		],
	},
	"auth.plugin": {
		requests: [
			{
				...requests.basic,
				credential: { ...credentials.basic, username: "a" },
			},
			{ ...requests.basic, credential: { ...credentials.hmac, username: "a" } },
			{ ...requests.basic, credential: { ...credentials.ldap, username: "a" } },
		],
	},
	"auth.issuer": { requests: issuersWith("a", "b", "c") },
	"consumer.id": { requests: consumersWith({}, { id: "other" }) },
	"consumer.username": {
		requests: consumersWith({}, { username: "bob" }, { username: null }),
	},
	"consumer.custom_id": {
		requests: consumersWith({}, { custom_id: "b" }, { custom_id: null }),
	},
	"consumer.tags": {
		requests: consumersWith({}, { tags: ["gold"] }, { tags: ["silver"] }),
	},
	"consumer.groups": {
		requests: requestsWith(
			{},
			{ ctx: { authenticated_consumer_groups: [{ name: "gold" }] } },
			{ ctx: { authenticated_consumer_groups: [{ name: "silver" }] } },
		),
	},
	"credential.id": {
		requests: requestsWith(
			{},
			{ credential: { ...credentials.key, id: consumer.id } },
		),
	},
	"service.id": {
		requests: requestsWith({}, { service: { ...service, id: "other" } }),
		on: ["everything"],
	},
	"service.name": { requests: services, on: ["everything"] },
	"route.id": {
		requests: requestsWith({ route }, { route: { ...route, id: "other" } }),
		on: ["service", "everything"],
	},
	"route.name": { requests: routes, on: ["service", "everything"] },
	"client.ip": {
		requests: requestsWith({ ip: "192.0.2.1" }, { ip: "192.0.2.2" }, {}),
	},
	"request.id": {
		requests: requestsWith(
			{ vars: { kong_request_id: "1" } },
			{ vars: { kong_request_id: "2" } },
			{},
		),
	},
	"request.method": {
		requests: requestsWith({ method: "GET" }, { method: "POST" }),
	},
	"request.path": {
		requests: requestsWith({ url: "http://kong/a" }, { url: "http://kong/b" }),
	},
	groups: {
		requests: requestsWith(
			{},
			{ shared: { authenticated_groups: ["gold"] } },
			{ shared: { authenticated_groups: ["silver"] } },
			{ ctx: { authenticated_groups: ["bronze"] } },
		),
	},
	"certificate.subject": { requests: certificatesOf("same", "other subject") },
	"certificate.issuer": { requests: certificatesOf("same", "other issuer") },
	"certificate.serial": { requests: certificatesOf("same", "same again") },
	"certificate.fingerprint": { requests: certificatesOf("same", "same again") },
	"certificate.san.uri": { requests: certificatesOf("same", "a URI") },
	"certificate.san.dns": { requests: certificatesOf("same", "a DNS name") },
	"certificate.san.email": { requests: certificatesOf("same", "an e-mail") },
	"certificate.not_after": { requests: certificatesOf("same", "longer") },
	"headers.NAME": {
		requests: requestsWith(
			{ headers: { name: "a" } },
			{ headers: { name: "b" } },
			{},
		),
	},
	"query_params.NAME": {
		requests: requestsWith(
			{ url: "http://kong/?NAME=a" },
			{ url: "http://kong/?NAME=b" },
			{},
		),
	},
	"claims.NAME": { requests: tokensWith({ NAME: "a" }, { NAME: "b" }, {}) },
};

const byHeader = requestsWith(
	{ headers: { tenant: "a" } },
	{ headers: { tenant: "b" } },
	{},
);
const urls = requestsWith(
	{ url: "http://kong/a" },
	{ url: "http://kong/b" },
	{ url: "https://kong/a" },
	{ url: "http://kong:8000/a" },
	{ url: "http://other/a" },
	{ url: "http://kong/a", method: "POST" },
	{ url: "http://kong/a", body: "b" },
);
/** Before a token of this gateway would expire. */
const SOON = Math.floor(Date.now() / 1000) + 600;

const SAME = "the same for all requests";

/** What requests can differ in, by the field by which that reaches the token or the decision. */
const FIELDS: Record<keyof ConfigFields, Row[] | typeof SAME> = {
	iss: SAME,
	jku: SAME,
	private_jwk: SAME,
	expires_in: SAME,
	bearer_clientid_claim: [
		{
			config: { bearer_clientid_claim: "azp" },
			requests: tokensWith({ azp: "a" }, { azp: "b" }, {}),
		},
	],
	apikey_header: SAME,
	upstream_custom_jwt_header: [
		{
			config: { upstream_custom_jwt_header: "X-Token" },
			requests: requestsWith({}, { headers: { connection: "X-Token" } }),
		},
	],
	token_prefix: SAME,
	downstream_custom_jwt_header: SAME,
	verbose: SAME,
	auth_methods: [
		{
			config: { auth_methods: ["key", "oauth2"] },
			requests: [requests.key, requests.oauth2, requests.basic],
		},
	],
	certificate_clientid: [
		{
			config: { certificate_clientid: ["san.uri", "fingerprint"] },
			requests: certificatesOf("same", "same again", "a URI").map(
				({ credential, consumer, ...request }) => request,
			),
		},
	],
	unauthenticated: [
		{
			config: { unauthenticated: "anonymous" },
			requests: [
				anonymous,
				{ ...anonymous, consumer: { id: "other", username: "stranger" } },
				{ service },
			],
		},
		{
			config: { unauthenticated: "pass" },
			requests: [requests.key, { service }],
		},
	],
	run_on_preflight: [
		{
			config: { run_on_preflight: false },
			requests: requestsWith({}, { method: "OPTIONS" }),
		},
	],
	realm: SAME,
	add_claims: [
		{
			config: { add_claims: { tenant: "$(headers.tenant)" } },
			requests: byHeader,
		},
	],
	set_claims: [
		{
			config: { set_claims: { a: '[{"b":"$(headers.tenant)"}]' } },
			requests: byHeader,
		},
		{
			config: {
				set_claims: { a: "$(claims.a or [\"$(headers.tenant or 'c')\"])" },
			},
			requests: byHeader,
		},
		{
			config: {
				set_claims: { a: "$(claims.a or headers.tenant | split ' ')" },
			},
			requests: byHeader,
		},
		{
			config: { set_claims: { client_id: "$(claims.azp or claims.appid)" } },
			requests: tokensWith({ azp: "a" }, { azp: "b" }, { appid: "c" }, {}),
		},
	],
	keep_claims: [
		{
			config: { keep_claims: ["sub"] },
			requests: tokensWith({ sub: "a" }, { sub: "b" }, {}),
		},
	],
	remove_claims: [
		{
			config: { remove_claims: ["email"] },
			requests: tokensWith({ sub: "a" }, { sub: "b" }, {}),
		},
	],
	strict_claims: [
		{
			config: { strict_claims: true, add_claims: { a: "$(headers.tenant)" } },
			requests: byHeader,
		},
	],
	audience: [
		{ config: { audience: ["https://$(headers.tenant)"] }, requests: byHeader },
		// Without the field the claim `aud` is the URL of the service.
		{
			requests: requestsWith({}, { service: { ...service, path: "/other" } }),
			config: { audience: undefined },
			on: ["everything"],
		},
	],
	audience_as_array: SAME,
	subject: [
		{ config: { subject: "user $(headers.tenant)" }, requests: byHeader },
	],
	not_before: SAME,
	issued_at_skew: SAME,
	cap_expiry: [
		{
			config: { cap_expiry: true },
			requests: tokensWith({ exp: SOON }, { exp: SOON + 1 }, {}, { exp: 1 }),
		},
	],
	token_type: SAME,
	max_token_size: SAME,
	key_id: SAME,
	algorithm: SAME,
	active_kid: SAME,
	hmac_key_is_text: SAME,
	include_x5c: SAME,
	reuse_for: SAME,
	reuse_max_tokens: SAME,
	bind_request: [{ config: { bind_request: true }, requests: urls }],
	bind_certificate: [
		{
			config: { bind_certificate: true },
			requests: [requests.key, ...certificatesOf("same", "same again")],
		},
	],
	max_request_body_size: [
		{
			config: { bind_request: true, max_request_body_size: 4 },
			requests: requestsWith({ body: "1234" }, { body: "12345" }),
		},
	],
	log_claims: SAME,
};

/** PEM by name; each has a key and a serial number of its own. */
const CERTIFICATES: Record<string, string> = {};

beforeAll(async () => {
	const ca = { ca: true, days: 9 };
	const issuer = await makeCertificate([{ CN: ["issuer"] }], ca);
	const other = await makeCertificate([{ CN: ["other"] }], ca);
	const options = { issuer, days: 1 };
	const made: Record<string, Parameters<typeof makeCertificate>[1]> = {
		same: options,
		"same again": options,
		"other subject": options,
		"other issuer": { ...options, issuer: other },
		"a URI": { ...options, names: [{ type: "url", value: "spiffe://a/b" }] },
		"a DNS name": { ...options, names: [{ type: "dns", value: "a.example" }] },
		"an e-mail": {
			...options,
			names: [{ type: "email", value: "a@b.example" }],
		},
		longer: { ...options, days: 2 },
	};
	for (const [name, some] of Object.entries(made)) {
		const CN = [name === "other subject" ? "other" : "client"];
		const { cert } = await makeCertificate([{ CN }], some);
		CERTIFICATES[name] = cert;
	}
});

/** The token that a request gets, or how it ends without one. */
async function outcome(plugin: Plugin, request: KnownRequest): Promise<string> {
	const certificate = CERTIFICATES[request.certificate ?? ""];
	const { exit, upstreamHeaders } = await runOn(plugin, {
		route,
		...request,
		...(certificate && { certificate }),
	});
	if (exit) return `status ${exit.status}`;
	return Object.values(upstreamHeaders)[0] ?? "no token";
}

/** Sends all requests, then all again, to one instance of the dedicated plugin server. */
async function expectOwnTokens({ config, requests, on }: Row): Promise<void> {
	for (const scope of on ?? (Object.keys(SCOPES) as (keyof typeof SCOPES)[])) {
		const fields = { ...SCOPES[scope], reuse_for: 60, ...config };
		for (const order of [requests, requests.toReversed()]) {
			const plugin = new Plugin(rawConfig(fields), { ownInstance: true });
			const first: string[] = [];
			for (const request of order) first.push(await outcome(plugin, request));
			expect(new Set(first).size).toBe(requests.length);
			expect(first.some((one) => one.startsWith("ey"))).toBe(true);
			for (const [index, request] of order.entries())
				expect(await outcome(plugin, request)).toBe(first[index]);
		}
	}
}

describe("two requests that differ only in a variable get two tokens, and equal ones share one:", () => {
	test("every variable has a row", () => {
		expect(Object.keys(VARIABLE_ROWS)).toEqual(
			VARIABLES.map(({ name }) => name),
		);
	});

	test.each(Object.entries(VARIABLE_ROWS))("$(%s)", async (name, row) => {
		const text = `a-$(${name} or 'none')`;
		// No claim of an incoming token is copied, and no service named, so that nothing else can differ.
		const others = { keep_claims: [], audience: ["https://a"] };
		for (const field of [
			{ add_claims: { a: text } },
			{ set_claims: { a: text } },
			{ subject: text },
			{ audience: [text] },
		])
			await expectOwnTokens({ ...row, config: { ...others, ...field } });
	});
});

describe("two requests that differ only in what a field reads get two tokens, and equal ones share one:", () => {
	test("every field has a row, except those that are marked as never making a difference", () => {
		expect(Object.keys(FIELDS).sort()).toEqual(
			Object.keys(FIELD_VARIES).sort(),
		);
		const withoutRow = Object.entries(FIELD_VARIES)
			.filter(([name]) => FIELDS[name as keyof typeof FIELDS] === SAME)
			.filter(([, varies]) => varies !== "never");
		expect(withoutRow).toEqual([]);
	});

	const rows = Object.entries(FIELDS).flatMap(([field, some]) =>
		some === SAME ? [] : some.map((row): [string, Row] => [field, row]),
	);

	test.each(rows)("%s", async (_, row) => {
		const audience = ["https://a"];
		await expectOwnTokens({ ...row, config: { audience, ...row.config } });
	});
});
