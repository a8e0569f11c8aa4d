using System.Collections.Concurrent;
using System.IO.Compression;
using System.Net;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using PoolApi.Tests.Service;

namespace PoolApi.Tests.Settings;

/// <summary>A collector that records the exports of OTLP over HTTP, with or without TLS.</summary>
internal sealed class Collector : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly ConcurrentQueue<Export> _exports = new();
    private readonly SemaphoreSlim _arrived = new(0);

    private Collector(WebApplication app) => _app = app;

    public string Url => _app.Urls.Single();

    public IReadOnlyCollection<Export> All => _exports;

    public IEnumerable<Export> Traces => _exports.Where(static export => export.Path.EndsWith("/v1/traces", StringComparison.Ordinal));

    public IEnumerable<Export> Logs => _exports.Where(static export => export.Path.EndsWith("/v1/logs", StringComparison.Ordinal));

    public IEnumerable<Export> Metrics => _exports.Where(static export => export.Path.EndsWith("/v1/metrics", StringComparison.Ordinal));

    /// <param name="certificate">The server's certificate, and the only client certificate that it accepts; <see langword="null"/>: no TLS.</param>
    public static async Task<Collector> StartAsync(X509Certificate2? certificate = null)
    {
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0, listen =>
        {
            if (certificate is null) return;
            listen.UseHttps(new HttpsConnectionAdapterOptions
            {
                ServerCertificate = certificate,
                ClientCertificateMode = ClientCertificateMode.RequireCertificate,
                ClientCertificateValidation = (shown, _, _) => shown.Thumbprint == certificate.Thumbprint,
            });
        }));
        if (certificate is not null) builder.WebHost.UseKestrelHttpsConfiguration();
        WebApplication app = builder.Build();
        var collector = new Collector(app);
        app.Run(collector.TakeAsync);
        await app.StartAsync(ServiceApp.Token);
        return collector;
    }

    /// <summary>Waits for an export. With the default intervals between exports it may take longer than a test.</summary>
    public async Task<Export> SeesAsync(Func<Export, bool> wanted)
    {
        while (true)
        {
            if (_exports.FirstOrDefault(wanted) is { } export) return export;
            Assert.True(await _arrived.WaitAsync(Patience.Long, ServiceApp.Token), "no such export");
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _app.DisposeAsync();
        _arrived.Dispose();
    }

    private async Task TakeAsync(HttpContext context)
    {
        string coding = context.Request.Headers.ContentEncoding.ToString();
        await using Stream body = coding == "gzip" ? new GZipStream(context.Request.Body, CompressionMode.Decompress) : context.Request.Body;
        using var reader = new StreamReader(body, Encoding.Latin1);
        var headers = context.Request.Headers.ToDictionary(static h => h.Key, static h => h.Value.ToString(), StringComparer.OrdinalIgnoreCase);
        _exports.Enqueue(new(context.Request.Path, headers, await reader.ReadToEndAsync(context.RequestAborted)));
        _arrived.Release();
        context.Response.ContentType = "application/x-protobuf";
    }

    /// <param name="Path">The path it was sent to.</param>
    /// <param name="Headers">Its headers.</param>
    /// <param name="Body">Its body, each byte a character.</param>
    internal sealed record Export(string Path, IReadOnlyDictionary<string, string> Headers, string Body);
}
