using System.IO.Compression;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using PoolApi.Tests.Service;
using PoolApi.Tests.Thumbnails;

namespace PoolApi.Tests.Requests;

/// <summary>An unusable body gets a problem that names its kind and what to send instead. If the head shows the fault, the body is not read.</summary>
public class RefusedBodyTests(ServiceApp app) : IClassFixture<ServiceApp>
{
    private const string Thumbnails = "/v1/thumbnails?width=8";
    private readonly HttpClient _client = app.CreateClient();

    public static TheoryData<string, byte[], string> Bodies()
    {
        byte[] jpeg = Samples.Encode("jpeg", 32, 32);
        byte[] png = Samples.Encode("png", 32, 32);
        byte[] avif = Samples.Encode("avif", 32, 32);
        byte[] heic = [0, 0, 0, 24, .. "ftypheic"u8, 0, 0, 0, 0, .. "mif1heic"u8, .. new byte[40]];
        string base64 = Convert.ToBase64String(jpeg);
        return new TheoryData<string, byte[], string>
        {
            { "HEIC", heic, "HEIC" },
            { "HEIF of another main brand", [0, 0, 0, 24, .. "ftypmif1"u8, 0, 0, 0, 0, .. "miafheix"u8], "HEIC" },
            { "MP4", [0, 0, 0, 24, .. "ftypisom"u8, 0, 0, 2, 0, .. "isommp41"u8], "video" },
            { "QuickTime", [0, 0, 0, 20, .. "ftypqt  "u8, 0, 0, 0, 0, .. "qt  "u8], "video" },
            { "CR3", [0, 0, 0, 24, .. "ftypcrx "u8, 0, 0, 0, 1, .. "crx isom"u8], "raw" },
            { "WebM", [0x1A, 0x45, 0xDF, 0xA3, 0x9F, 0x42], "video" },
            { "AVI", [.. "RIFF"u8, 1, 2, 3, 4, .. "AVI LIST"u8], "video" },
            { "gzip file", Coded(static s => new GZipStream(s, CompressionLevel.Fastest), jpeg), "gzip" },
            { "zlib", Coded(static s => new ZLibStream(s, CompressionLevel.Optimal), jpeg), "zlib" },
            { "ZIP", [.. "PK"u8, 3, 4, 20, 0], "ZIP" },
            { "PDF", [.. "%PDF-1.7\n"u8], "PDF" },
            { "PSD", [.. "8BPS"u8, 0, 1, 0, 0], "PSD" },
            { "JPEG XL", [0xFF, 0x0A, 0x10, 0x20], "JPEG XL" },
            { "JPEG XL container", [0, 0, 0, 12, .. "JXL "u8, 13, 10, 0x87, 10], "JPEG XL" },
            { "JPEG 2000", [0, 0, 0, 12, .. "jP  "u8, 13, 10, 0x87, 10], "JPEG 2000" },
            { "BMP", [.. "BM"u8, 0x36, 4, 0, 0, 0, 0, 0, 0, 0x36, 4, 0, 0], "BMP" },
            { "ICO", [0, 0, 1, 0, 1, 0, 16, 16], "ICO" },
            { "SVG", [.. "<?xml version='1.0'?>\n<!-- drawn -->\n<svg xmlns='http://www.w3.org/2000/svg'/>"u8], "SVG" },
            { "HTML", [.. "\r\n<!DOCTYPE html><title>502</title>"u8], "HTML" },
            { "XML", [.. "<?xml version='1.0'?><image/>"u8], "XML" },
            { "text", [.. "Dear Sir or Madam, à bientôt"u8], "is text;" },
            { "text that is cut within a character", Encoding.UTF8.GetBytes("x" + new string('é', 5000)), "is text;" },
            { "UTF-16 text", [0xFF, 0xFE, .. Encoding.Unicode.GetBytes("hello")], "UTF-16" },
            { "base64", Encoding.ASCII.GetBytes(base64), "base64 text of an image" },
            { "base64 in lines", Encoding.ASCII.GetBytes(Convert.ToBase64String(png, Base64FormattingOptions.InsertLineBreaks)), "base64 text of an image" },
            { "base64url of AVIF", Encoding.ASCII.GetBytes(System.Buffers.Text.Base64Url.EncodeToString(avif)), "base64 text of an image" },
            { "base64 of HEIC", Encoding.ASCII.GetBytes(Convert.ToBase64String(heic)), "base64 text of a HEIC" },
            { "hexadecimal", Encoding.ASCII.GetBytes(Convert.ToHexString(png)), "hexadecimal text of an image" },
            { "data URL", Encoding.ASCII.GetBytes("data:image/jpeg;base64," + base64), "data: URL" },
            { "URL", [.. "https://example.com/photo.jpg"u8], "URL" },
            { "JSON", Encoding.ASCII.GetBytes($$"""{"image":"{{base64}}"}"""), "JSON" },
            { "JSON behind a byte order mark", Encoding.UTF8.Preamble.ToArray().Concat(Encoding.ASCII.GetBytes($"[\"{base64}\"]")).ToArray(), "JSON" },
            { "JSON text", Encoding.ASCII.GetBytes($"\"{base64}\""), "JSON" },
            { "a form", [.. "image=%FF%D8"u8], "form" },
            { "multipart under another name", [.. "--x\r\nContent-Disposition: form-data; name=\"image\"\r\n\r\n"u8, .. jpeg], "multipart" },
            { "a PNG sent with curl -d", [.. png.Where(static b => b is not ((byte)'\r' or (byte)'\n' or 0))], "line ends" },
            { "a JPEG read as text", Encoding.UTF8.GetBytes(Encoding.UTF8.GetString(jpeg)), "turned into text" },
            { "a PNG read as Latin-1", Encoding.UTF8.GetBytes(Encoding.Latin1.GetString(png)), "turned into text" },
            { "a blob's name", [.. "[object Blob]"u8], "object" },
            { "zeros", new byte[100], "known kind" },
        };
    }

    [Theory, MemberData(nameof(Bodies))]
    public async Task A_body_that_is_not_an_accepted_image_gets_415_that_names_its_kind(string name, byte[] body, string says)
    {
        foreach (string? type in (string?[])[null, "image/jpeg", "application/x-www-form-urlencoded"])
        {
            using var content = new ByteArrayContent(body);
            if (type is not null) content.Headers.ContentType = new MediaTypeHeaderValue(type);
            using HttpResponseMessage response = await _client.PostAsync(Thumbnails, content, ServiceApp.Token);
            JsonNode problem = await ServiceApp.AssertProblem(response, 415, "unsupported-media", "body", says);
            string detail = (string)problem["detail"]!;
            Assert.True(detail.Contains("it must be JPEG, PNG, WebP, GIF, TIFF or AVIF. ", StringComparison.Ordinal), $"{name}: {detail}");
            Assert.InRange(detail.Length, 1, 300); // the detail contains nothing of the body
        }
    }

    [Theory]
    [InlineData("application/x-www-form-urlencoded")]
    [InlineData("application/json")]
    [InlineData("text/plain")]
    [InlineData("image/heic")]
    public async Task An_image_is_detected_by_its_bytes_and_not_by_its_content_type(string type)
    {
        using var content = new ByteArrayContent(Samples.Encode("png", 16, 16));
        content.Headers.ContentType = new MediaTypeHeaderValue(type);
        using HttpResponseMessage response = await _client.PostAsync(Thumbnails, content, ServiceApp.Token);
        Assert.Equal("image/webp", response.Content.Headers.ContentType?.MediaType);
    }

    [Fact]
    public async Task A_multipart_body_is_refused_and_the_problem_explains_what_to_send()
    {
        using var form = new MultipartFormDataContent { { new ByteArrayContent(Samples.Encode("png", 16, 16)), "image", "photo.png" } };
        using HttpResponseMessage response = await _client.PostAsync(Thumbnails, form, ServiceApp.Token);
        await ServiceApp.AssertProblem(response, 415, "unsupported-media", "Content-Type", "--data-binary");
    }

    [Theory]
    [InlineData(Thumbnails, "image/png")]
    [InlineData("/v1/password-hashes", "application/json")]
    [InlineData("/v1/password-verifications", "application/json")]
    public async Task A_content_coding_is_refused_and_the_response_names_identity_as_accepted(string url, string type)
    {
        foreach (string coding in (string[])["gzip", "deflate", "br", "zstd", "x-gzip", "GZIP", "identity, gzip", "aws-chunked"])
        {
            using var content = new ByteArrayContent(Samples.Encode("png", 16, 16));
            content.Headers.ContentType = new MediaTypeHeaderValue(type);
            content.Headers.TryAddWithoutValidation("Content-Encoding", coding);
            using HttpResponseMessage response = await _client.PostAsync(url, content, ServiceApp.Token);
            await ServiceApp.AssertProblem(response, 415, "unsupported-media", "Content-Encoding", "identity");
            Assert.Equal("identity", Assert.Single(response.Headers.GetValues("Accept-Encoding")));
        }
    }

    [Theory]
    [InlineData("identity")]
    [InlineData("Identity, identity")]
    public async Task The_content_coding_identity_is_accepted(string coding)
    {
        using var content = new ByteArrayContent(Samples.Encode("png", 16, 16));
        content.Headers.TryAddWithoutValidation("Content-Encoding", coding);
        using HttpResponseMessage response = await _client.PostAsync(Thumbnails, content, ServiceApp.Token);
        Assert.True(response.IsSuccessStatusCode);
    }

    [Theory]
    [InlineData(Thumbnails, "Content-Type: multipart/form-data; boundary=x", 415)]
    [InlineData(Thumbnails, "Content-Type: image/png\r\nContent-Encoding: gzip", 415)]
    [InlineData(Thumbnails + "&wdith=1", "Content-Type: image/png", 400)]
    [InlineData(Thumbnails + "&wdith=1", "Content-Type: image/png\r\nPrefer: respond-async", 400)]
    [InlineData(Thumbnails, "Content-Type: multipart/form-data; boundary=x\r\nPrefer: respond-async", 415)]
    [InlineData(Thumbnails, "Content-Type: image/png\r\nContent-Encoding: gzip\r\nIdempotency-Key: one", 415)]
    [InlineData("/v1/thumbnails", "Content-Type: image/png", 400)]
    [InlineData("/v1/thumbnails?width=0", "Content-Type: image/png", 400)]
    [InlineData("/v1/thumbnails?width=0", "Content-Type: image/png\r\nPrefer: respond-async", 400)]
    [InlineData(Thumbnails, "Content-Type: image/png\r\nAccept: image/gif", 406)]
    [InlineData(Thumbnails, "Content-Type: image/png", 413)] // larger than Pool:MaxBodyBytes
    [InlineData(Thumbnails, "Content-Type: image/png\r\nPrefer: respond-async", 413)]
    [InlineData(Thumbnails, "Content-Type: image/png\r\nIdempotency-Key: ", 400)]
    [InlineData(Thumbnails, "Content-Type: image/png\r\nJob-Priority: high", 400)]
    [InlineData("/v1/diagnostics/sleep?ms=x", "Content-Type: image/png", 400)]
    [InlineData("/v1/diagnostics/hash", "Content-Type: image/png", 400)]
    [InlineData("/v1/nothing", "Content-Type: image/png", 404)]
    [InlineData("/v1/jobs", "Content-Type: image/png", 405)]
    [InlineData("/v1/password-hashes", "Content-Type: multipart/form-data; boundary=x", 415)]
    [InlineData("/v1/password-verifications", "Content-Type: multipart/form-data; boundary=x", 415)]
    [InlineData("/v1/password-hashes", "Content-Type: text/plain", 415)]
    [InlineData("/v1/password-hashes", "Content-Type: application/json\r\nContent-Encoding: br", 415)]
    public async Task A_request_with_a_fault_in_its_head_is_refused_before_the_client_sends_the_body(string url, string headers, int status)
    {
        using var folder = new TemporaryFolder();
        await using ServiceApp real = ServiceApp.With(("Urls", "http://127.0.0.1:0"), ("Management:Urls", "http://127.0.0.1:0"), ("Jobs:Path", folder.File("jobs.db")));
        Assert.StartsWith($"HTTP/1.1 {status} ", await FirstLineAsync(Start(real), url, headers, 50_000_000), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_body_that_is_too_large_for_a_job_is_refused_before_the_client_sends_it()
    {
        using var folder = new TemporaryFolder();
        await using ServiceApp real = ServiceApp.With(
            ("Urls", "http://127.0.0.1:0"), ("Management:Urls", "http://127.0.0.1:0"), ("Jobs:Path", folder.File("jobs.db")), ("Jobs:MaxPayloadBytes", "1000"));
        int port = Start(real);
        Assert.StartsWith("HTTP/1.1 413 ", await FirstLineAsync(port, Thumbnails, "Prefer: respond-async", 1001), StringComparison.Ordinal);
        Assert.StartsWith("HTTP/1.1 413 ", await FirstLineAsync(port, Thumbnails, "Idempotency-Key: one", 1001), StringComparison.Ordinal);
        Assert.StartsWith("HTTP/1.1 100 ", await FirstLineAsync(port, Thumbnails, "Prefer: respond-async", 1000), StringComparison.Ordinal);
        Assert.StartsWith("HTTP/1.1 100 ", await FirstLineAsync(port, Thumbnails, "Accept: */*", 1001), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_client_without_a_key_is_refused_before_it_sends_its_body()
    {
        await using ServiceApp real = ServiceApp.With(
            ("Urls", "http://127.0.0.1:0"), ("Management:Urls", "http://127.0.0.1:0"), ("Jobs:Store", "none"), ("Auth:ApiKeys:alice", "alice-has-this-key"));
        int port = Start(real);
        Assert.StartsWith("HTTP/1.1 401 ", await FirstLineAsync(port, Thumbnails, "Accept: */*", 1000), StringComparison.Ordinal);
        Assert.StartsWith("HTTP/1.1 100 ", await FirstLineAsync(port, Thumbnails, "X-Api-Key: alice-has-this-key", 1000), StringComparison.Ordinal);
    }

    private static int Start(ServiceApp app)
    {
        app.UseKestrel();
        app.StartServer();
        return new Uri(app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First()).Port;
    }

    /// <summary>The first line of the answer to a client that waits for 100 before it sends its body.</summary>
    private static async Task<string?> FirstLineAsync(int port, string url, string headers, int length)
    {
        using RawConnection connection = await RawConnection.OpenAsync(port);
        // The body is never sent. A server that reads it answers 100 first.
        string head = $"POST {url} HTTP/1.1\r\nHost: x\r\n{headers}\r\nContent-Length: {length}\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n";
        await connection.SendAsync(head);
        using var reader = new StreamReader(connection.Stream);
        return await reader.ReadLineAsync(ServiceApp.Token);
    }

    private static byte[] Coded(Func<Stream, Stream> coder, byte[] bytes)
    {
        using var coded = new MemoryStream();
        using (Stream stream = coder(coded)) stream.Write(bytes);
        return coded.ToArray();
    }
}
