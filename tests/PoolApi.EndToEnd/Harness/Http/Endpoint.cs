using System.Net;
using System.Net.Http.Headers;
using System.Text;

namespace PoolApi.EndToEnd.Harness.Http;

/// <summary>A client of one port of the service.</summary>
internal sealed class Endpoint : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(6);
    private readonly RepeatedReads _reads = new(new SocketsHttpHandler { AllowAutoRedirect = false, UseProxy = false });
    private readonly HttpClient _http;
    private readonly bool _http2;

    /// <summary>A client that follows no redirect and has only its own timeout. It speaks HTTP/1.1, or HTTP/2 without
    /// TLS from the first byte.</summary>
    public Endpoint(int port, bool http2 = false, string host = "127.0.0.1")
    {
        (Port, Host) = (port, host);
        _http2 = http2;
        _http = new HttpClient(_reads)
        {
            BaseAddress = new Uri(Url),
            Timeout = Timeout.InfiniteTimeSpan,
        };
    }

    /// <summary>The port.</summary>
    public int Port { get; }

    /// <summary>The address of this machine.</summary>
    public string Host { get; }

    /// <summary>The address, without a slash at the end.</summary>
    public string Url => $"http://{Host}:{Port}";

    /// <summary>Whether the client repeats a GET that failed because the database of a busy machine answered too late.</summary>
    public bool RepeatsReads { set => _reads.AreOn = value; }

    /// <summary>GET.</summary>
    public Task<Answer> GetAsync(string path) => SendAsync(new HttpRequestMessage(HttpMethod.Get, path));

    /// <summary>POST without a body, or with this one.</summary>
    public Task<Answer> PostAsync(string path, HttpContent? content = null) =>
        SendAsync(new HttpRequestMessage(HttpMethod.Post, path) { Content = content });

    /// <summary>POST by a client that disconnects when the token is cancelled.</summary>
    public Task<Answer> PostUntilAsync(string path, CancellationToken hangUp) =>
        ExchangeAsync(new HttpRequestMessage(HttpMethod.Post, path), hangUp);

    /// <summary>POST of JSON text, valid or not.</summary>
    public Task<Answer> PostJsonAsync(string path, string json) =>
        PostAsync(path, new StringContent(json, Encoding.UTF8, "application/json"));

    /// <summary>POST of an image.</summary>
    public Task<Answer> PostImageAsync(string path, byte[] image, string mediaType = "image/jpeg") =>
        PostAsync(path, new ByteArrayContent(image) { Headers = { ContentType = new MediaTypeHeaderValue(mediaType) } });

    /// <summary>POST of a PNG.</summary>
    public Task<Answer> PostPngAsync(string path, byte[] image) => PostImageAsync(path, image, "image/png");

    /// <summary>GET of a stream, which is read until the server ends it. A response that is cut off throws.</summary>
    public async Task<string> ReadToEndAsync(string path, Action begun)
    {
        using var response = await _http.GetAsync(path, HttpCompletionOption.ResponseHeadersRead, TestContext.Current.CancellationToken);
        response.EnsureSuccessStatusCode();
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync());
        var all = new StringBuilder();
        while (await reader.ReadLineAsync() is { } line)
        {
            if (all.Length == 0)
                begun();
            all.Append(line).Append('\n');
        }

        return all.ToString();
    }

    /// <summary>Any request.</summary>
    public Task<Answer> SendAsync(HttpRequestMessage request) => ExchangeAsync(request, TestContext.Current.CancellationToken);

    /// <inheritdoc />
    public void Dispose() => _http.Dispose();

    private async Task<Answer> ExchangeAsync(HttpRequestMessage request, CancellationToken cancellation)
    {
        using (request)
        {
            if (_http2)
                (request.Version, request.VersionPolicy) = (HttpVersion.Version20, HttpVersionPolicy.RequestVersionExact);
            using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
            deadline.CancelAfter(Patience);
            using var response = await _http.SendAsync(request, deadline.Token);
            return await Answer.ReadAsync(response, deadline.Token);
        }
    }
}
