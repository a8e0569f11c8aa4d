using static PoolApi.Settings.FrameworkSetting;

namespace PoolApi.Settings;

/// <summary>Settings of the server.</summary>
internal static class KestrelSettings
{
    /// <summary>The certificate of all addresses with TLS.</summary>
    public const string Certificate = "Kestrel:Certificates:Default:Path";

    /// <summary>What the listeners of the API speak.</summary>
    public const string Protocols = "Kestrel:EndpointDefaults:Protocols";

    private const string OneCertificate = "Kestrel:Certificates:Default is the certificate of every address https://…";
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Hour = TimeSpan.FromHours(1);
    private static readonly TimeSpan Day = TimeSpan.FromDays(1);

    // The smallest limits leave room for what a probe, a scrape and a browser send: both ports share them.
    public static IReadOnlyList<FrameworkSetting> All { get; } =
    [
        Used("Kestrel:Limits:MaxConcurrentConnections", "no limit", ValueRule.WholeNumber(1, int.MaxValue), "connections to the API; more are closed at once. The management port has its own limit, 1024"),
        Used("Kestrel:Limits:KeepAliveTimeout", "00:02:10", ValueRule.Time(Second, Day), "how long a connection may be idle between requests"),
        Used("Kestrel:Limits:RequestHeadersTimeout", "00:00:30", ValueRule.Time(Second, Hour), "how long the head of a request may take"),
        Used("Kestrel:Limits:MaxRequestHeaderCount", "100", ValueRule.WholeNumber(32, 10_000), "headers of one request"),
        Used("Kestrel:Limits:MaxRequestHeadersTotalSize", "32768", ValueRule.WholeNumber(4096, 1 << 20), "bytes of all headers of one request"),
        Used("Kestrel:Limits:MaxRequestLineSize", "8192", ValueRule.WholeNumber(1024, 1 << 20), "bytes of the first line of a request; at most MaxRequestBufferSize"),
        Used("Kestrel:Limits:MaxRequestBufferSize", "1048576", ValueRule.WholeNumber(1 << 20, 1 << 28), "bytes of one request that the server reads ahead"),
        Used("Kestrel:Limits:MaxResponseBufferSize", "65536", ValueRule.WholeNumber(0, 1 << 28), "bytes of one response that wait for a slow client before the server waits too"),
        Used("Kestrel:Limits:MinRequestBodyDataRate:BytesPerSecond", "240", ValueRule.WholeNumber(1, 1 << 30), "a body that comes more slowly is refused (408)"),
        Used("Kestrel:Limits:MinRequestBodyDataRate:GracePeriod", "00:00:05", ValueRule.Time(2 * Second, Hour), "how long a body may be slower at first"),
        Used("Kestrel:Limits:MinResponseDataRate:BytesPerSecond", "240", ValueRule.WholeNumber(1, 1 << 30), "a connection that takes a response more slowly is cut"),
        Used("Kestrel:Limits:MinResponseDataRate:GracePeriod", "00:00:05", ValueRule.Time(2 * Second, Hour), "how long it may be slower at first"),
        Used("Kestrel:Limits:Http2:MaxStreamsPerConnection", "100", ValueRule.WholeNumber(1, int.MaxValue), "requests at once on one connection"),
        Used("Kestrel:Limits:Http2:HeaderTableSize", "4096", ValueRule.WholeNumber(0, 1 << 20), "bytes of the table of headers that each side keeps"),
        Used("Kestrel:Limits:Http2:MaxFrameSize", "16384", ValueRule.WholeNumber(16_384, 16_777_215), "bytes of one frame"),
        Used("Kestrel:Limits:Http2:MaxRequestHeaderFieldSize", "32768", ValueRule.WholeNumber(4096, 1 << 20), "bytes of one header"),
        Used("Kestrel:Limits:Http2:InitialConnectionWindowSize", "1048576", ValueRule.WholeNumber(65_535, int.MaxValue), "bytes of bodies that one connection may have on the way"),
        Used("Kestrel:Limits:Http2:InitialStreamWindowSize", "786432", ValueRule.WholeNumber(65_535, int.MaxValue), "bytes of one body that may be on the way"),
        Used("Kestrel:Limits:Http2:KeepAlivePingDelay", "never", ValueRule.Time(Second, Day), "after so long without a frame the server sends a ping"),
        Used("Kestrel:Limits:Http2:KeepAlivePingTimeout", "00:00:20", ValueRule.Time(Second, Hour), "how long it waits for the response to the ping"),
        Used(Protocols, "Http1AndHttp2", ValueRule.OneOf("Http1", "Http2", "Http1AndHttp2"), "what the API speaks. Without TLS, `Http1AndHttp2` means HTTP/1.1 only; for HTTP/2 with prior knowledge set `Http2`, and give the management a port of its own. Such a port speaks HTTP/1.1"),
        Used(Certificate, "none", ValueRule.File, "the certificate of the addresses https://… in `Urls`: PEM with the certificates above it, or PFX"),
        Used("Kestrel:Certificates:Default:KeyPath", "none", ValueRule.File, "the private key of a PEM certificate"),
        Used("Kestrel:Certificates:Default:Password", "none", ValueRule.Any, "the password of that key, or of the PFX file") with { IsSecret = true },
        Refused("Kestrel:Limits:MaxRequestBodySize", "Pool:MaxBodyBytes and Jobs:MaxPayloadBytes limit a body"),
        Refused("Kestrel:Limits:MaxConcurrentUpgradedConnections", "no route upgrades a connection"),
        Refused("Kestrel:Limits:Http3", "the service does not speak HTTP/3"),
        Refused("Kestrel:Endpoints", "Urls and Management:Urls set where the service listens"),
        Refused("Kestrel:Certificates", OneCertificate),
        Refused("Kestrel:EndpointDefaults:SslProtocols", "the system chooses the version of TLS"),
        Refused("Kestrel:EndpointDefaults:ClientCertificateMode", "clients are known by their keys"),
        Refused("Kestrel:EndpointDefaults:Certificate", OneCertificate),
        Refused("Kestrel:EndpointDefaults:Sni", OneCertificate),
        Refused("Kestrel:EndpointDefaults:Url", "Urls and Management:Urls set where the service listens"),
        Refused("Kestrel:AddServerHeader", "the service sends no header Server"),
        Refused("Kestrel:AllowSynchronousIO", "no route reads or writes synchronously"),
        Refused("Kestrel:AllowResponseHeaderCompression", "it is on, and only code can change it"),
        Refused("Kestrel:AllowAlternateSchemes", "it is off, and only code can change it"),
        Refused("Kestrel:AllowHostHeaderOverride", "it is off, and only code can change it"),
        Refused("Kestrel:DisableStringReuse", "it is off, and only code can change it"),
    ];
}
