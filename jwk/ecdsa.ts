/**
 * Writes an ECDSA signature as JWS wants it, R and S side by side (RFC 7518 §3.4). node:crypto can do so itself, but
 * from Node.js 24 on takes twice as long then (bench/README.md).
 *
 * @param der SEQUENCE of two INTEGERs, as OpenSSL signs (RFC 3279 §2.2.3)
 * @param size of R and S, in bytes
 */
export function jwsSignature(der: Buffer, size: number): Buffer {
	const signature = Buffer.alloc(2 * size);
	// The SEQUENCE's length has a second byte from 128 on: with P-521.
	let at = der[1] === 0x81 ? 3 : 2;
	for (const end of [size, 2 * size]) {
		const length = der[at + 1] ?? 0;
		const next = at + 2 + length;
		// Leading zero bytes are left out, and one is there where the first bit would be a sign.
		const digits = der.subarray(next - Math.min(length, size), next);
		digits.copy(signature, end - digits.length);
		at = next;
	}
	return signature;
}
