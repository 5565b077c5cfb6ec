/**
 * What the core needs from where it runs: Node.js, or Lua in Kong's own process. Everything else in `core/` is plain
 * functions over plain data, which compile to both.
 */

/** Claims of a token in their order (RFC 7519 §4); a list, as objects have no order in Lua. */
export type Claims = [name: string, value: unknown][];

/** What a template, or `certificate_clientid`, can name of a client's certificate. */
export const CERTIFICATE_MEMBERS = [
	"subject",
	"issuer",
	"serial",
	"fingerprint",
	"san.uri",
	"san.dns",
	"san.email",
	"not_after",
] as const;

/** A client's certificate; members that it does not have are undefined. */
export type Certificate = Record<
	(typeof CERTIFICATE_MEMBERS)[number],
	string | string[] | number | undefined
> & {
	/** SHA-256 of its DER, base64url: the value of `x5t#S256` (RFC 8705 §3.1). */
	fingerprint: string;
};

/** What of the key that signs enters settings and protected headers. The private members stay with the platform. */
export interface KeyInfo {
	/** JWS algorithm, the header parameter `alg` (RFC 7518 §3.1, RFC 8037 §3.1). */
	alg: string;
	/** Key ID, the header parameter `kid`; absent when the key has none. */
	kid: string | undefined;
	/** The header parameters `x5c` and `x5t#S256`, where they are wanted. */
	certificates: { x5c: string[]; "x5t#S256": string } | undefined;
	/** What is allowed in the key, but better otherwise. */
	warnings: string[];
	/** What of it libraries of backends choke on. */
	interop: string[];
	/** Whether it is one of the package's test keys, with which everybody can sign. */
	isTestKey: boolean;
}

/** See above. All of it is synchronous: whoever drives `decide` asks Kong and signs. */
export interface Platform {
	/** Reads JSON. @throws anything when the text is none */
	decodeJson: (text: string) => unknown;
	/** Writes JSON without white space. */
	encodeJson: (value: unknown) => string;
	/** Writes a JSON object with these members, in their order where that costs nothing. */
	encodeMembers: (members: Claims) => string;
	/** @returns an object with these members, whatever they are called */
	object: (members: Claims) => Record<string, unknown>;
	/** @returns the text in base64url (RFC 7515 §2); undefined when it is none, or its bytes are not UTF-8 */
	decodeBase64url: (text: string) => string | undefined;
	/** @returns base64url of a text's UTF-8 */
	encodeBase64url: (text: string) => string;
	/** @returns the SHA-256 of a text, in a spelling of the platform's own */
	hash: (text: string) => string;
	/** @returns a random UUID (RFC 9562 §5.4) */
	uuid: () => string;
	/** @returns milliseconds since the epoch */
	now: () => number;
	/** @returns a number from 0 up to 1, which need not be a secret */
	random: () => number;
	/** Reads a certificate. @param pem the chain, the client's own certificate first; undefined when it is none */
	readCertificate: (pem: string) => Certificate | undefined;
	/** Whether a text arrived as it was sent: bytes that are not UTF-8 arrive as U+FFFD, and different ones alike. */
	isWellFormed: (text: string) => boolean;
	/** Whether a text has no space, and no character that cannot be seen. */
	isVisible: (text: string) => boolean;
	/** A text of others as JSON, for a log: characters that a terminal would act on, or hide, are escaped. */
	quote: (text: string) => string;
	/**
	 * Folds a claim's name, so that two names have equal folds when any reader in use takes one for the other.
	 *
	 * @returns undefined for a name that must not be copied whatever it is
	 */
	fold: (name: string) => string | undefined;
}
