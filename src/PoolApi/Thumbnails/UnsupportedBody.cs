using System.Buffers;
using System.Buffers.Text;
using System.Text;
using System.Text.Unicode;

namespace PoolApi.Thumbnails;

/// <summary>
/// Explains to the client what a body is that is not an accepted image, and what to send instead. Costs a few comparisons of its first bytes, and
/// decodes a few bytes of text.
/// </summary>
internal static class UnsupportedBody
{
    private const string Convert = "Convert it to one of these formats first.";
    private const string Frame = "Send a single frame, as an image.";
    private const string Render = "Render it to an image first.";
    private const string Unpack = "Unpack it, and send the image itself.";
    private const string Raw = "Send the image's bytes as they are, as the body.";

    // How much is examined of a text, and of the bytes that a text encodes.
    private const int MaxText = 1024;
    private const int MaxDecoded = 96;

    /// <summary>Explains what is wrong with the body, and what to send instead.</summary>
    /// <param name="body">A body that is not empty and that <see cref="ImageSniffer"/> does not recognise.</param>
    public static string Explain(ReadOnlySpan<byte> body)
    {
        (string what, string advice) = OfBytes(body) ?? OfForm(body) ?? OfText(body) ?? ("not an image of a known kind", Raw);
        return $"The body is {what}; it must be {ImageSniffer.Accepted}. {advice}";
    }

    /// <summary>Recognises a format by its signature.</summary>
    private static (string What, string Advice)? OfBytes(ReadOnlySpan<byte> b)
    {
        if (b.Length >= 8 && b[4..8].SequenceEqual("ftyp"u8)) return OfMediaFile(b);
        return b switch
        {
            [0x1F, 0x8B, ..] => ("gzip-compressed", "Send it uncompressed: an image's own format compresses it."),
            [0x28, 0xB5, 0x2F, 0xFD, ..] => ("Zstandard-compressed", "Send it uncompressed: an image's own format compresses it."),
            [0x78, 0x01 or 0x9C or 0xDA, ..] => ("zlib-compressed (deflate)", "Send it uncompressed: an image's own format compresses it."),
            [(byte)'B', (byte)'Z', (byte)'h', >= (byte)'1' and <= (byte)'9', 0x31, 0x41, ..] or [0xFD, (byte)'7', (byte)'z', (byte)'X', (byte)'Z', 0, ..] =>
                ("compressed (bzip2 or xz)", "Send it uncompressed: an image's own format compresses it."),
            [(byte)'P', (byte)'K', 3 or 5, 4 or 6, ..] => ("a ZIP archive, or a document that is one", Unpack),
            [(byte)'7', (byte)'z', 0xBC, 0xAF, ..] or [(byte)'R', (byte)'a', (byte)'r', (byte)'!', 0x1A, ..] => ("an archive (7z or RAR)", Unpack),
            [(byte)'%', (byte)'P', (byte)'D', (byte)'F', (byte)'-', ..] => ("a PDF document", Render),
            [(byte)'%', (byte)'!', (byte)'P', (byte)'S', ..] or [0xC5, 0xD0, 0xD3, 0xC6, ..] => ("a PostScript document", Render),
            [(byte)'8', (byte)'B', (byte)'P', (byte)'S', 0, 1 or 2, ..] => ("a Photoshop document (PSD)", Convert),
            [0xFF, 0x0A, ..] or [0, 0, 0, 12, (byte)'J', (byte)'X', (byte)'L', (byte)' ', ..] => ("a JPEG XL image (JXL)", Convert),
            [0xFF, 0x4F, 0xFF, 0x51, ..] or [0, 0, 0, 12, (byte)'j', (byte)'P', (byte)' ', (byte)' ', ..] => ("a JPEG 2000 image", Convert),
            [(byte)'B', (byte)'M', _, _, _, _, 0, 0, 0, 0, ..] => ("a BMP image", Convert),
            [0, 0, 1, 0, not 0, ..] => ("an ICO icon", Convert),
            [0, 0, 2, 0, not 0, ..] => ("a CUR cursor", Convert),
            [(byte)'I', (byte)'I', 0xBC, ..] => ("a JPEG XR image", Convert),
            [0x76, 0x2F, 0x31, 0x01, ..] => ("an OpenEXR image", Convert),
            [(byte)'#', (byte)'?', (byte)'R', (byte)'A', (byte)'D', ..] => ("a Radiance HDR image", Convert),
            [(byte)'q', (byte)'o', (byte)'i', (byte)'f', ..] => ("a QOI image", Convert),
            [(byte)'D', (byte)'D', (byte)'S', (byte)' ', ..] => ("a DDS texture", Convert),
            [(byte)'g', (byte)'i', (byte)'m', (byte)'p', (byte)' ', (byte)'x', (byte)'c', (byte)'f', ..] => ("a GIMP image (XCF)", Convert),
            [(byte)'i', (byte)'c', (byte)'n', (byte)'s', ..] => ("an Apple icon (ICNS)", Convert),
            [(byte)'P', >= (byte)'1' and <= (byte)'7', (byte)'\n' or (byte)' ' or (byte)'\r' or (byte)'\t', ..] => ("a Netpbm image (PBM, PGM, PPM or PAM)", Convert),
            [0x1A, 0x45, 0xDF, 0xA3, ..] => ("a video (Matroska or WebM)", Frame),
            [(byte)'R', (byte)'I', (byte)'F', (byte)'F', _, _, _, _, (byte)'A', (byte)'V', (byte)'I', (byte)' ', ..] => ("a video (AVI)", Frame),
            [0, 0, 1, 0xBA or 0xB3, ..] => ("a video (MPEG)", Frame),
            [(byte)'F', (byte)'L', (byte)'V', 1, ..] => ("a video (FLV)", Frame),
            [(byte)'O', (byte)'g', (byte)'g', (byte)'S', ..] => ("a video or a sound (Ogg)", Frame),
            // A PNG's signature is designed to detect this.
            [0x89, (byte)'P', (byte)'N', (byte)'G', ..] => (
                "a PNG whose line ends were changed on the way", "Send the bytes as they are: with curl, --data-binary in place of -d."),
            [0xEF, 0xBF, 0xBD, 0xEF, 0xBF, 0xBD, 0xEF, 0xBF, 0xBD, ..] or [0xEF, 0xBF, 0xBD, (byte)'P', (byte)'N', (byte)'G', ..]
                or [0xC3, 0xBF, 0xC3, 0x98, 0xC3, 0xBF, ..] or [0xC2, 0x89, (byte)'P', (byte)'N', (byte)'G', ..] => (
                "an image that was turned into text on the way (UTF-8)", "Read the file as bytes, not as text, and send these bytes."),
            _ => null,
        };
    }

    /// <summary>Recognises an ISO media file by its brands: HEIF images and videos have the same container.</summary>
    private static (string What, string Advice) OfMediaFile(ReadOnlySpan<byte> b)
    {
        ReadOnlySpan<byte> brands = b[8..Math.Min(b.Length, 64)];
        for (int at = 0; at + 4 <= brands.Length; at += 4)
        {
            switch (Encoding.Latin1.GetString(brands.Slice(at, 4)))
            {
                case "heic" or "heix" or "heim" or "heis" or "hevc" or "hevx" or "hevm" or "hevs" or "mif1" or "msf1" or "mif2":
                    return ("a HEIC or HEIF image", "Convert it to JPEG first. An iPhone takes JPEG with the camera's format 'Most Compatible'.");
                case "crx ":
                    return ("a camera's raw image (CR3)", Convert);
                case "jxl ":
                    return ("a JPEG XL image (JXL)", Convert);
                case "jp2 " or "jpx ":
                    return ("a JPEG 2000 image", Convert);
            }
        }
        return ("a video or a sound (MP4, QuickTime)", Frame);
    }

    /// <summary>Recognises a multipart form with another Content-Type. It may contain an image, so it is not treated as text.</summary>
    private static (string What, string Advice)? OfForm(ReadOnlySpan<byte> body) =>
        body.StartsWith("--"u8)
        && Encoding.Latin1.GetString(body[..Math.Min(body.Length, MaxText)]).Contains("\nContent-Disposition:", StringComparison.OrdinalIgnoreCase)
            ? ("a multipart form", "Send the image's bytes as the body, without a form around them: with curl, --data-binary @FILE in place of -F.")
            : null;

    /// <summary>Recognises kinds of text.</summary>
    private static (string What, string Advice)? OfText(ReadOnlySpan<byte> body)
    {
        if (body is [0xFF, 0xFE, ..] or [0xFE, 0xFF, ..]) return ("text (UTF-16)", Raw);
        if (body is [0xEF, 0xBB, 0xBF, ..]) body = body[3..];
        if (body.Length > MaxText) body = CutBetweenCharacters(body[..MaxText]);
        if (!Utf8.IsValid(body) || body.IndexOfAny(NoText) >= 0) return null;
        string text = Encoding.UTF8.GetString(body).Trim();

        if (text.Length == 0) return ("blank text", Raw);
        if (Starts(text, "data:")) return ("a data: URL", "Send the bytes that it encodes, decoded, as the body.");
        if (Starts(text, "http://") || Starts(text, "https://") || Starts(text, "blob:") || Starts(text, "file:"))
            return ("a URL", "Nothing is fetched from there: send the image's bytes as the body.");
        if (Starts(text, "[object ")) return ("a script's name for an object, not its content", "Send the File, Blob or ArrayBuffer itself as the body.");
        if (Starts(text, "b'") || Starts(text, "b\"")) return ("Python's text form of bytes", "Send the bytes themselves as the body.");
        if (text[0] is '{' or '[' or '"') return ("JSON", "Send the image's bytes as the body; if they are in the JSON as base64, decode them.");
        if (text[0] == '<') return OfMarkup(text);
        if (OfEncoded(text) is { } encoded) return encoded;
        int value = text.IndexOf('=', StringComparison.Ordinal);
        if (value > 0 && !text.AsSpan(0, value).ContainsAny(" \r\n\t"))
            return ("a form", "Send the image's bytes as the body, without a field's name before them.");
        return ("text", Raw);
    }

    private static (string What, string Advice) OfMarkup(string text)
    {
        if (text.Contains("<svg", StringComparison.OrdinalIgnoreCase)) return ("an SVG drawing", Render);
        if (Starts(text, "<!doctype html") || text.Contains("<html", StringComparison.OrdinalIgnoreCase))
            return ("an HTML page", "It may be an error page of the place that the image was to come from. " + Raw);
        return ("XML", Raw);
    }

    /// <summary>Recognises base64 (also base64url) and hexadecimal text by what it encodes.</summary>
    private static (string What, string Advice)? OfEncoded(string text)
    {
        Span<char> signs = stackalloc char[MaxDecoded / 3 * 4];
        int length = 0;
        foreach (char sign in text)
        {
            if (length == signs.Length) break;
            if (sign is ' ' or '\r' or '\n' or '\t') continue;
            if (sign == '=') break;
            signs[length++] = sign switch { '+' => '-', '/' => '_', _ => sign };
        }
        Span<byte> decoded = stackalloc byte[MaxDecoded];
        if (System.Convert.FromHexString(signs[..(length & ~1)], decoded, out _, out int written) == OperationStatus.Done && NameOf(decoded[..written]) is { } hex)
            return ($"hexadecimal text of {hex}", "Decode it, and send the bytes as the body.");
        if (Base64Url.DecodeFromChars(signs[..(length & ~3)], decoded, out _, out written) == OperationStatus.Done && NameOf(decoded[..written]) is { } image)
            return ($"base64 text of {image}", "Decode it, and send the bytes as the body.");
        return null;
    }

    private static string? NameOf(ReadOnlySpan<byte> head) => ImageSniffer.TryRecognise(head, out _) ? "an image" : OfBytes(head)?.What;

    private static bool Starts(string text, string with) => text.StartsWith(with, StringComparison.OrdinalIgnoreCase);

    private static ReadOnlySpan<byte> CutBetweenCharacters(ReadOnlySpan<byte> text)
    {
        int end = text.Length;
        while (end > 0 && text.Length - end < 4 && (text[end - 1] & 0xC0) == 0x80) end--; // continuation bytes
        return end > 0 && text[end - 1] >= 0xC0 ? text[..(end - 1)] : text;
    }

    // Control characters that do not occur in text.
    private static readonly SearchValues<byte> NoText = SearchValues.Create([0, 1, 2, 3, 4, 5, 6, 7, 8, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26]);
}
