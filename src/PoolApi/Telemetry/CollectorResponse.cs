using System.Globalization;
using OpenTelemetry;
using OpenTelemetry.Exporter;

namespace PoolApi.Telemetry;

/// <summary>The collector's response to the last export, or the reason why there is none. The exporter does not report either.</summary>
/// <remarks>It stands between the exporter and its HTTP client, for gRPC and for HTTP. One export at a time.</remarks>
internal sealed class CollectorResponse
{
    private readonly TimeSpan _timeout;
    private volatile HttpResponseMessage? _response;
    private volatile Exception? _failure;

    private CollectorResponse(TimeSpan timeout) => _timeout = timeout;

    /// <summary>Why the last export failed; <see langword="null"/> if it has not failed, or if only the exporter knows the reason.</summary>
    public string? Fault => _failure is { } failure ? FaultOf(failure) : _response is { } response ? FaultOf(response) : null;

    /// <summary>Makes the exporters of these options record their responses.</summary>
    /// <param name="options">The options.</param>
    /// <param name="record">Records each request as an export; <see langword="null"/>: the exporter does.</param>
    public static CollectorResponse Watch(OtlpExporterOptions options, ExportRecord? record = null)
    {
        var last = new CollectorResponse(TimeSpan.FromMilliseconds(options.TimeoutMilliseconds));
        Func<HttpClient> make = options.HttpClientFactory;
        // The inner client has the certificates and the timeout.
        options.HttpClientFactory = () => new HttpClient(new Handler(last, record, make())) { Timeout = Timeout.InfiniteTimeSpan };
        return last;
    }

    public void Forget() => (_response, _failure) = (null, null);

    private string FaultOf(Exception failure) => failure switch
    {
        OperationCanceledException { InnerException: TimeoutException } =>
            string.Create(CultureInfo.InvariantCulture, $"no answer within {_timeout.TotalSeconds} s"),
        OperationCanceledException => "given up before there was an answer",
        HttpRequestException { InnerException: IOException inner } => inner.Message,
        _ => failure.Message,
    };

    private static string? FaultOf(HttpResponseMessage response)
    {
        if (!response.IsSuccessStatusCode) return $"HTTP status {(int)response.StatusCode}";
        // If a gRPC response has no body, its status is in the headers.
        string? status = Field("grpc-status");
        return status is null or "0" ? null : $"gRPC status {status} {Uri.UnescapeDataString(Field("grpc-message") ?? "")}".TrimEnd();

        string? Field(string name) =>
            response.TrailingHeaders.TryGetValues(name, out IEnumerable<string>? values) || response.Headers.TryGetValues(name, out values)
                ? values.FirstOrDefault()
                : null;
    }

    private sealed class Handler(CollectorResponse last, ExportRecord? record, HttpClient client) : HttpMessageHandler
    {
        protected override HttpResponseMessage Send(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            Begin();
            try
            {
                using HttpRequestMessage copy = Copy(request);
                HttpResponseMessage response = client.Send(copy, cancellationToken);
                copy.Content = null; // the content belongs to the request, so the copy must not dispose of it
                return last._response = response;
            }
            catch (Exception e)
            {
                last._failure = e;
                throw;
            }
            finally
            {
                End();
            }
        }

        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            Begin();
            try
            {
                using HttpRequestMessage copy = Copy(request);
                HttpResponseMessage response = await client.SendAsync(copy, cancellationToken);
                copy.Content = null; // the content belongs to the request, so the copy must not dispose of it
                return last._response = response;
            }
            catch (Exception e)
            {
                last._failure = e;
                throw;
            }
            finally
            {
                End();
            }
        }

        private void Begin()
        {
            if (record is not null && !record.TryBegin()) throw new HttpRequestException("The exporter is closed.");
        }

        /// <summary>Ends the export. A response is complete by now, with the trailers in which gRPC sends its status.</summary>
        private void End() => record?.End(last.Fault is null ? ExportResult.Success : ExportResult.Failure);

        protected override void Dispose(bool disposing)
        {
            if (disposing) client.Dispose();
            base.Dispose(disposing);
        }

        /// <summary>A client does not send a request that another one has sent.</summary>
        private static HttpRequestMessage Copy(HttpRequestMessage request)
        {
            var copy = new HttpRequestMessage(request.Method, request.RequestUri)
            {
                Content = request.Content,
                Version = request.Version,
                VersionPolicy = request.VersionPolicy,
            };
            foreach (var (name, values) in request.Headers) copy.Headers.TryAddWithoutValidation(name, values);
            return copy;
        }
    }
}
