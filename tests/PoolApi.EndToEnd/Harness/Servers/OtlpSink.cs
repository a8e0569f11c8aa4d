using System.Net;

namespace PoolApi.EndToEnd.Harness.Servers;

/// <summary>Receives OTLP over HTTP, and finds names in the received bodies: the protobuf has metric names as
/// plain text.</summary>
internal sealed class OtlpSink : IDisposable
{
    private readonly HttpListener _listener = new();
    private readonly LineLog _received = new();
    private readonly Task _serving;

    /// <summary>Listens on a free port.</summary>
    public OtlpSink()
    {
        Url = $"http://127.0.0.1:{FreePorts.Next()}";
        _listener.Prefixes.Add(Url + "/");
        _listener.Start();
        _serving = ServeAsync();
    }

    /// <summary>The exporter's endpoint.</summary>
    public string Url { get; }

    /// <summary>Waits until metrics that contain this name were sent.</summary>
    public Task SeesAsync(string name, TimeSpan timeout) => _received.WaitForAsync(
        sent => sent.StartsWith("/v1/metrics", StringComparison.Ordinal) && sent.Contains(name, StringComparison.Ordinal), timeout);

    /// <summary>Whether a span was sent that contains these words.</summary>
    public bool HasSpan(string words) => _received.Lines.Any(
        sent => sent.StartsWith("/v1/traces", StringComparison.Ordinal) && sent.Contains(words, StringComparison.Ordinal));

    /// <summary>The bodies of all traces that were sent, each byte a character.</summary>
    public IEnumerable<string> Traces => _received.Lines.Where(sent => sent.StartsWith("/v1/traces", StringComparison.Ordinal));

    /// <inheritdoc />
    public void Dispose()
    {
        _listener.Close();
        // The task ends with the listener. Only its last exception has to be observed.
        _ = _serving.Exception;
    }

    private async Task ServeAsync()
    {
        while (_listener.IsListening)
        {
            HttpListenerContext context;
            try
            {
                context = await _listener.GetContextAsync();
            }
            catch (Exception e) when (e is HttpListenerException or ObjectDisposedException)
            {
                return;
            }

            try
            {
                using var reader = new StreamReader(context.Request.InputStream, System.Text.Encoding.Latin1);
                _received.Add(context.Request.Url!.AbsolutePath + ' ' + await reader.ReadToEndAsync());
                context.Response.ContentType = "application/x-protobuf";
                context.Response.Close();
            }
            catch (Exception e) when (e is IOException or HttpListenerException or ObjectDisposedException or InvalidOperationException)
            {
                // The exporter has disconnected: at a stop it has two seconds. The sink serves the next request.
            }
        }
    }
}
