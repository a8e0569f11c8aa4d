using System.Net.Sockets;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Configuration.Json;
using Microsoft.Extensions.Options;
using PoolApi.Tests.Service;
using Effect = System.Func<System.Threading.Tasks.Task>;

namespace PoolApi.Tests.Settings;

/// <summary>Shows the effect of each used setting of the host and of Kestrel.</summary>
internal static class ServerEffects
{
    private const string Get = "GET /v1/diagnostics/noop HTTP/1.1\r\nHost: 127.0.0.1\r\n";
    private const string Http2Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\u0004\0\0\0\0\0";

    public static readonly Dictionary<string, Effect> All = new()
    {
        ["Environment"] = async () =>
        {
            await using RunningService service = RunningService.In("Development", ("Workloads:Diagnostics", ""));
            Assert.Contains(" 200 ", await service.ApiAsync(Get + "Connection: close\r\n\r\n"), StringComparison.Ordinal);
        },
        ["ContentRoot"] = async () =>
        {
            using var folder = new TemporaryFolder();
            await File.WriteAllTextAsync(folder.File("appsettings.json"), """{ "Pool": { "Name": "elsewhere" } }""", ServiceApp.Token);
            await using RunningService service = RunningService.With(("contentRoot", folder.Path));
            Assert.Contains("elsewhere", await service.GetAsync("/metrics"), StringComparison.Ordinal);
        },
        ["Kestrel:Certificates:Default:Path"] = () => SeeTlsAsync(password: null),
        ["Kestrel:Certificates:Default:KeyPath"] = () => SeeTlsAsync(password: null),
        ["Kestrel:Certificates:Default:Password"] = () => SeeTlsAsync("a password"),
        ["HTTP_PORTS"] = async () =>
        {
            await using RunningService service = RunningService.With(("Urls", ""), ("HTTP_PORTS", "0"));
            Assert.StartsWith("http://[::]:", service.Addresses[0], StringComparison.Ordinal);
            Assert.Contains(" 200 ", await service.ApiAsync(Get + "Connection: close\r\n\r\n"), StringComparison.Ordinal);
        },
        ["AllowedHosts"] = async () =>
        {
            await using RunningService service = RunningService.With(("AllowedHosts", "api.example.com"));
            string refused = await service.ApiAsync("GET / HTTP/1.1\r\nHost: evil.example.com\r\nConnection: close\r\n\r\n");
            Assert.StartsWith("HTTP/1.1 400", refused, StringComparison.Ordinal);
            Assert.Contains("urn:poolapi:problem:invalid-request", refused, StringComparison.Ordinal);
            Assert.Contains(" 200 ", await service.ApiAsync("GET / HTTP/1.1\r\nHost: api.example.com\r\nConnection: close\r\n\r\n"), StringComparison.Ordinal);
            foreach (string probe in (string[])["/livez", "/readyz", "/startupz", "/metrics"])
                Assert.StartsWith("HTTP/1.1 200", await service.GetAsync(probe), StringComparison.Ordinal);
        },
        ["ForwardedHeaders_Enabled"] = async () =>
        {
            await using RunningService service = RunningService.With(("ForwardedHeaders_Enabled", "true"));
            Assert.Contains(
                "https://pool.example/v1/thumbnails",
                await service.ApiAsync("GET / HTTP/1.1\r\nHost: pool.example\r\nX-Forwarded-For: 10.0.0.1\r\nX-Forwarded-Proto: https\r\nConnection: close\r\n\r\n"),
                StringComparison.Ordinal);
        },
        ["ForwardedHeaders:KnownProxies"] = async () =>
        {
            await using RunningService service = RunningService.With(("ForwardedHeaders:KnownProxies", "127.0.0.1"));
            Assert.Contains(
                "https://pool.example/thumbs/v1/thumbnails",
                await service.ApiAsync("GET / HTTP/1.1\r\nHost: pool.example\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Prefix: /thumbs\r\nConnection: close\r\n\r\n"),
                StringComparison.Ordinal);
        },
        ["PathBase"] = async () =>
        {
            await using RunningService service = RunningService.With(("PathBase", "/thumbs"));
            foreach (string prefix in (string[])["", "/thumbs"])
            {
                string request = Get.Replace("/v1", prefix + "/v1", StringComparison.Ordinal) + "Connection: close\r\n\r\n";
                Assert.Contains(" 200 ", await service.ApiAsync(request), StringComparison.Ordinal);
                Assert.StartsWith("HTTP/1.1 200", await service.GetAsync(prefix + "/readyz"), StringComparison.Ordinal);
            }
        },
        ["HostBuilder:ReloadConfigOnChange"] = async () =>
        {
            await using RunningService service = RunningService.With(("hostBuilder:reloadConfigOnChange", "false"));
            var configuration = (IConfigurationRoot)service.App.Services.GetRequiredService<IConfiguration>();
            JsonConfigurationProvider[] files = [.. configuration.Providers.SelectMany(Flat).OfType<JsonConfigurationProvider>()];
            Assert.NotEmpty(files);
            Assert.All(files, static file => Assert.False(file.Source.ReloadOnChange));
        },
        ["Kestrel:Limits:MaxConcurrentConnections"] = async () =>
        {
            await using RunningService service = RunningService.With(("Kestrel:Limits:MaxConcurrentConnections", "2"));
            using RawConnection one = await service.ConnectAsync(Get + "\r\n");
            using RawConnection two = await service.ConnectAsync(Get + "\r\n");
            Assert.NotEmpty(await one.ReadResponseAsync());
            Assert.NotEmpty(await two.ReadResponseAsync());
            Assert.Equal("", await ClosedAsync(service));
            Assert.Equal("", await ClosedAsync(service));
            Assert.StartsWith("HTTP/1.1 200", await service.GetAsync("/livez"), StringComparison.Ordinal);
            Assert.Single(service.App.Log, static line => line.StartsWith("The API has 2 connections", StringComparison.Ordinal));
        },
        ["Kestrel:Limits:KeepAliveTimeout"] = async () =>
        {
            await using RunningService service = RunningService.With(("Kestrel:Limits:KeepAliveTimeout", "00:00:01"));
            // Less than the default of 130 s.
            Assert.StartsWith("HTTP/1.1 200", await service.ApiAsync(Get + "\r\n").WaitAsync(TimeSpan.FromSeconds(60), ServiceApp.Token), StringComparison.Ordinal);
        },
        ["Kestrel:Limits:RequestHeadersTimeout"] = async () =>
        {
            await using RunningService service = RunningService.With(("Kestrel:Limits:RequestHeadersTimeout", "00:00:01"));
            // Less than the default of 30 s.
            Assert.StartsWith("HTTP/1.1 408", await service.ApiAsync(Get).WaitAsync(TimeSpan.FromSeconds(25), ServiceApp.Token), StringComparison.Ordinal);
        },
        ["Kestrel:Limits:MaxRequestHeaderCount"] = () =>
            Answers("431", string.Concat(Enumerable.Range(0, 40).Select(static i => $"X-{i}: 1\r\n")), ("Kestrel:Limits:MaxRequestHeaderCount", "32")),
        ["Kestrel:Limits:MaxRequestHeadersTotalSize"] = () =>
            Answers("431", $"X: {new string('x', 5000)}\r\n", ("Kestrel:Limits:MaxRequestHeadersTotalSize", "4096")),
        ["Kestrel:Limits:MaxRequestLineSize"] = async () =>
        {
            await using RunningService service = RunningService.With(("Kestrel:Limits:MaxRequestLineSize", "1024"));
            Assert.StartsWith(
                "HTTP/1.1 414", await service.ApiAsync($"GET /{new string('x', 2000)} HTTP/1.1\r\nHost: x\r\n\r\n"), StringComparison.Ordinal);
        },
        ["Kestrel:Limits:MaxRequestBufferSize"] = () => Limit("MaxRequestBufferSize", "2000000", static limits => limits.MaxRequestBufferSize == 2_000_000),
        ["Kestrel:Limits:MaxResponseBufferSize"] = () => Limit("MaxResponseBufferSize", "1000", static limits => limits.MaxResponseBufferSize == 1000),
        ["Kestrel:Limits:MinRequestBodyDataRate:BytesPerSecond"] = () => Limit(
            "MinRequestBodyDataRate:BytesPerSecond", "7", static limits => limits.MinRequestBodyDataRate is { BytesPerSecond: 7, GracePeriod.TotalSeconds: 5 }),
        ["Kestrel:Limits:MinRequestBodyDataRate:GracePeriod"] = () => Limit(
            "MinRequestBodyDataRate:GracePeriod", "00:00:07", static limits => limits.MinRequestBodyDataRate is { BytesPerSecond: 240, GracePeriod.TotalSeconds: 7 }),
        ["Kestrel:Limits:MinResponseDataRate:BytesPerSecond"] = () => Limit(
            "MinResponseDataRate:BytesPerSecond", "7", static limits => limits.MinResponseDataRate is { BytesPerSecond: 7, GracePeriod.TotalSeconds: 5 }),
        ["Kestrel:Limits:MinResponseDataRate:GracePeriod"] = () => Limit(
            "MinResponseDataRate:GracePeriod", "00:00:07", static limits => limits.MinResponseDataRate is { BytesPerSecond: 240, GracePeriod.TotalSeconds: 7 }),
        ["Kestrel:Limits:Http2:KeepAlivePingDelay"] = () => Limit("Http2:KeepAlivePingDelay", "00:00:07", static limits => limits.Http2.KeepAlivePingDelay.TotalSeconds == 7),
        ["Kestrel:Limits:Http2:KeepAlivePingTimeout"] = () => Limit("Http2:KeepAlivePingTimeout", "00:00:07", static limits => limits.Http2.KeepAlivePingTimeout.TotalSeconds == 7),
        // The identifiers of RFC 9113, 6.5.2.
        ["Kestrel:Limits:Http2:HeaderTableSize"] = () => Http2Setting("HeaderTableSize", 1, 5000),
        ["Kestrel:Limits:Http2:MaxStreamsPerConnection"] = () => Http2Setting("MaxStreamsPerConnection", 3, 7),
        ["Kestrel:Limits:Http2:InitialStreamWindowSize"] = () => Http2Setting("InitialStreamWindowSize", 4, 70_000),
        ["Kestrel:Limits:Http2:MaxFrameSize"] = () => Http2Setting("MaxFrameSize", 5, 20_000),
        ["Kestrel:Limits:Http2:MaxRequestHeaderFieldSize"] = () =>
            Limit("Http2:MaxRequestHeaderFieldSize", "5000", static limits => limits.Http2.MaxRequestHeaderFieldSize == 5000),
        ["Kestrel:Limits:Http2:InitialConnectionWindowSize"] = () =>
            Limit("Http2:InitialConnectionWindowSize", "70000", static limits => limits.Http2.InitialConnectionWindowSize == 70_000),
        ["Kestrel:EndpointDefaults:Protocols"] = async () =>
        {
            await using RunningService service = RunningService.With(("Kestrel:EndpointDefaults:Protocols", "Http2"));
            Assert.NotEmpty(await SettingsFrameAsync(service));
            Assert.StartsWith("HTTP/1.1 200", await service.GetAsync("/livez"), StringComparison.Ordinal);
        },
    };

    private static IEnumerable<IConfigurationProvider> Flat(IConfigurationProvider provider) =>
        provider is ChainedConfigurationProvider { Configuration: IConfigurationRoot inner } ? inner.Providers.SelectMany(Flat) : [provider];

    private static async Task Answers(string status, string headers, (string, string) setting)
    {
        await using RunningService service = RunningService.With(setting);
        Assert.StartsWith($"HTTP/1.1 {status}", await service.ApiAsync($"{Get}{headers}\r\n"), StringComparison.Ordinal);
    }

    /// <summary>Checks the limits of the running server in its options, because their effect takes many seconds or many bytes.</summary>
    private static async Task Limit(string name, string value, Func<KestrelServerLimits, bool> isSet)
    {
        await using RunningService service = RunningService.With(("Kestrel:Limits:" + name, value));
        Assert.True(isSet(service.App.Services.GetRequiredService<IOptions<KestrelServerOptions>>().Value.Limits));
    }

    private static async Task Http2Setting(string name, int identifier, int value)
    {
        await using RunningService service = RunningService.With(
            ("Kestrel:EndpointDefaults:Protocols", "Http2"), ("Kestrel:Limits:Http2:" + name, value.ToString(System.Globalization.CultureInfo.InvariantCulture)));
        Assert.Equal(value, (await SettingsFrameAsync(service)).GetValueOrDefault(identifier, -1));
    }

    /// <summary>The first frame that the server sends.</summary>
    private static async Task<Dictionary<int, int>> SettingsFrameAsync(RunningService service)
    {
        using RawConnection connection = await service.ConnectAsync(Http2Preface);
        byte[] head = new byte[9];
        await connection.Stream.ReadExactlyAsync(head, ServiceApp.Token);
        Assert.Equal(4, head[3]);
        byte[] settings = new byte[(head[1] << 8) | head[2]];
        await connection.Stream.ReadExactlyAsync(settings, ServiceApp.Token);
        return settings.Chunk(6).ToDictionary(static s => (s[0] << 8) | s[1], static s => (s[2] << 24) | (s[3] << 16) | (s[4] << 8) | s[5]);
    }

    /// <summary>The response; empty if the server closes the connection without one.</summary>
    private static async Task<string> ClosedAsync(RunningService service)
    {
        try
        {
            return await service.ApiAsync(Get + "\r\n");
        }
        catch (Exception e) when (e is IOException or SocketException)
        {
            return "";
        }
    }

    /// <summary>A client that trusts this certificate alone, by its hash, sends requests by HTTP/1.1 and HTTP/2 over TLS.</summary>
    private static async Task SeeTlsAsync(string? password)
    {
        using var certificate = new TlsCertificate("pool.example");
        string key = password is null ? certificate.KeyFile : certificate.WriteKey(password);

        await using RunningService service = RunningService.With(
            ("Urls", "https://127.0.0.1:0"), ("Kestrel:Certificates:Default:Path", certificate.CertificateFile),
            ("Kestrel:Certificates:Default:KeyPath", key), ("Kestrel:Certificates:Default:Password", password ?? ""));

        Assert.StartsWith("https://127.0.0.1:", service.Addresses[0], StringComparison.Ordinal);
        using var client = new HttpClient(new SocketsHttpHandler
        {
            UseProxy = false,
            SslOptions = { RemoteCertificateValidationCallback = (_, shown, _, _) => certificate.Is(shown) },
        });
        foreach (Version version in (Version[])[new(1, 1), new(2, 0)])
        {
            using var asks = new HttpRequestMessage(HttpMethod.Get, new Uri($"{service.Addresses[0]}/openapi/v1.json"))
            {
                Version = version,
                VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            };
            using HttpResponseMessage answer = await client.SendAsync(asks, ServiceApp.Token);
            Assert.Equal((200, version), ((int)answer.StatusCode, answer.Version));
        }
        Assert.StartsWith("HTTP/1.1 200", await service.GetAsync("/readyz"), StringComparison.Ordinal);
    }
}
