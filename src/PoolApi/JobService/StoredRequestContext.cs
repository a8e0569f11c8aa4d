using System.Runtime.InteropServices;
using Microsoft.AspNetCore.Http.Features;
using PoolApi.AspNetCore.Endpoints;
using PoolApi.Jobs;
using PoolApi.Jobs.Running;
using PoolApi.Threading;

namespace PoolApi.JobService;

/// <summary>
/// A request made of what was stored of one, and a place for its answer: what an endpoint sees of an attempt. There is no
/// connection behind it.
/// </summary>
internal sealed class StoredRequestContext
    : IAcceptedWorkFeature, IBufferedBodyFeature, IHttpRequestBodyDetectionFeature, IHttpRequestLifetimeFeature, IDisposable
{
    private readonly JobRun _run;
    private readonly BoundedStream _answer;

    public StoredRequestContext(JobRun run, Endpoint endpoint, IServiceProvider services, int maxResultBytes, CancellationToken cancellation)
    {
        _run = run;
        _answer = new BoundedStream(maxResultBytes);
        RequestAborted = cancellation;
        JobPayload payload = run.Claim.Payload;
        var request = new HttpRequestFeature
        {
            Method = payload.Method,
            Scheme = "http",
            Protocol = "HTTP/1.1",
            Path = payload.Path,
            QueryString = payload.Query,
            Body = Readable(payload.Body),
        };
        request.Headers.ContentType = payload.ContentType;
        request.Headers.ContentLength = payload.Body.Length;

        var features = new FeatureCollection();
        features.Set<IHttpRequestFeature>(request);
        features.Set<IHttpResponseFeature>(new HttpResponseFeature());
        features.Set<IHttpResponseBodyFeature>(new StreamResponseBodyFeature(_answer));
        features.Set<IHttpRequestBodyDetectionFeature>(this);
        features.Set<IHttpRequestLifetimeFeature>(this);
        features.Set<IAcceptedWorkFeature>(this);
        if (CanHaveBody) features.Set<IBufferedBodyFeature>(this);
        features.Set(run);
        Http = new DefaultHttpContext(features) { RequestServices = services };
        Http.SetEndpoint(endpoint);
    }

    public HttpContext Http { get; }

    /// <summary>How the work ended; <see langword="null"/> if the pool did not take it.</summary>
    public WorkOutcome? Outcome { get; private set; }

    public WorkPriority Priority => _run.Priority;

    public ReadOnlyMemory<byte> Body => _run.Claim.Payload.Body;

    /// <summary>The attempt's end releases it.</summary>
    public void Release()
    {
        // The work may still run, and it has its own reference.
    }

    public bool CanHaveBody => _run.Claim.Payload.Body.Length > 0;

    public CancellationToken RequestAborted { get; set; }

    /// <summary>The answer that was written, or too much of one.</summary>
    /// <exception cref="ResultTooLargeException">It is larger than may be.</exception>
    public JobResult Result => new(Http.Response.StatusCode, Http.Response.ContentType, _answer.Written);

    /// <summary>Whether a worker has begun with the work.</summary>
    public bool HasStarted => PoolWork.HasStarted(Http);

    public void Started() => _run.Started();

    public void Ended(WorkOutcome outcome) => Outcome = outcome;

    public void Dispose() => _answer.Dispose();

    public void Abort()
    {
        // There is nobody to be cut off.
    }

    /// <summary>The body as a stream: over the bytes as they are, which may be many.</summary>
    private static MemoryStream Readable(ReadOnlyMemory<byte> body) => MemoryMarshal.TryGetArray(body, out ArraySegment<byte> bytes)
        ? new MemoryStream(bytes.Array!, bytes.Offset, bytes.Count, writable: false)
        : new MemoryStream(body.ToArray(), writable: false);
}
