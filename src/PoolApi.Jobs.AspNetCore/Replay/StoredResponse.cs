using Microsoft.AspNetCore.Http.Features;

namespace PoolApi.Jobs.AspNetCore.Replay;

/// <summary>
/// The response to a stored request: kept in memory, up to a limit, and not sent. It starts and completes as a server's response does, and
/// runs the callbacks that were registered for both. Not thread-safe, as any response.
/// </summary>
/// <remarks>
/// <code>
///   open ──first write, flush or the end──► OnStarting callbacks ──► started: the headers stay ──► completed: OnCompleted callbacks
/// </code>
/// Callbacks run in the reverse order of their registration. A synchronous write does not wait for a callback: callbacks that have not
/// ended by then are awaited at the end.
/// </remarks>
internal sealed class StoredResponse : IHttpResponseFeature, IHttpBodyControlFeature, IDisposable
{
    private readonly HeaderDictionary _headers = [];
    private readonly Stack<(Func<object, Task> Callback, object State)> _starting = new();
    private readonly Stack<(Func<object, Task> Callback, object State)> _completed = new();
    private readonly BoundedStream _kept;
    private readonly BodyStream _stream;
    private readonly StreamResponseBodyFeature _body;
    private Task? _start;
    private bool _isStarting;
    private int _status = StatusCodes.Status200OK;

    public StoredResponse(int maxBytes)
    {
        _kept = new BoundedStream(maxBytes);
        _stream = new BodyStream(this, _kept);
        _body = new StreamResponseBodyFeature(_stream);
    }

    public IHttpResponseBodyFeature Body => _body;

    public bool HasStarted { get; private set; }

    public int StatusCode
    {
        get => _status;
        set
        {
            ThrowIfStarted(nameof(StatusCode));
            _status = value;
        }
    }

    public string? ReasonPhrase { get; set; }

    public IHeaderDictionary Headers
    {
        get => _headers;
        set => throw new NotSupportedException("The headers of a stored request's response cannot be replaced; change them.");
    }

    Stream IHttpResponseFeature.Body
    {
        get => _stream;
        set => throw new NotSupportedException("Set HttpResponse.Body.");
    }

    /// <summary>Synchronous writes are permitted: they go into memory, and block no thread.</summary>
    bool IHttpBodyControlFeature.AllowSynchronousIO { get; set; } = true;

    /// <summary>The body that was written so far.</summary>
    public ReadOnlyMemory<byte> Written => _kept.Written;

    /// <summary>Whether the body is larger than what is kept. The writer got an exception then, which it may have swallowed or wrapped.</summary>
    public bool IsTooLarge => _kept.IsExceeded;

    /// <summary>Throws if a body of this length is larger than what is kept.</summary>
    public void CheckLength(long bytes) => _kept.CheckLength(bytes);

    public void OnStarting(Func<object, Task> callback, object state)
    {
        ThrowIfStarted(nameof(OnStarting));
        _starting.Push((callback, state));
    }

    public void OnCompleted(Func<object, Task> callback, object state) => _completed.Push((callback, state));

    /// <summary>Completes the body, and starts the response if nothing has. After the endpoint has returned without an exception.</summary>
    public async Task EndAsync()
    {
        await _body.CompleteAsync();
        await (_start ??= RunStartingAsync());
        _kept.ThrowIfExceeded();
    }

    /// <summary>Runs the callbacks of the end. After all code of the request has returned, with or without an exception.</summary>
    public async Task CompleteAsync(Guid job, ILogger log)
    {
        while (_completed.TryPop(out (Func<object, Task> Callback, object State) registered))
        {
            try
            {
                await registered.Callback(registered.State);
            }
            catch (Exception e)
            {
                StoredResponseLog.CallbackFailed(log, job, e); // only logged, as a server does: the response stands
            }
        }
    }

    public void Dispose()
    {
        _body.Dispose();
        _kept.Dispose();
    }

    /// <summary>A callback that writes must not wait for itself.</summary>
    private Task StartAsync() => _isStarting ? Task.CompletedTask : _start ??= RunStartingAsync();

    private async Task RunStartingAsync()
    {
        _isStarting = true;
        try
        {
            while (_starting.TryPop(out (Func<object, Task> Callback, object State) registered)) await registered.Callback(registered.State);
        }
        finally
        {
            _isStarting = false;
        }
        HasStarted = true;
        _headers.IsReadOnly = true;
    }

    private void ThrowIfStarted(string what)
    {
        if (HasStarted) throw new InvalidOperationException($"{what} cannot be set because the response has already started.");
    }

    /// <summary>The stream that the endpoint writes the body to.</summary>
    private sealed class BodyStream(StoredResponse response, BoundedStream kept) : WriteOnlyStream
    {
        public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

        public override void Write(ReadOnlySpan<byte> buffer)
        {
            Flush();
            kept.Write(buffer);
        }

        public override async Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
            await WriteAsync(buffer.AsMemory(offset, count), cancellationToken);

        public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            cancellationToken.ThrowIfCancellationRequested();
            await response.StartAsync();
            kept.Write(buffer.Span);
        }

        public override void Flush()
        {
            Task start = response.StartAsync();
            if (start.IsFaulted) start.GetAwaiter().GetResult(); // the start has failed: this throws its exception, and does not block
        }

        public override Task FlushAsync(CancellationToken cancellationToken) => response.StartAsync();
    }
}

/// <summary>The log lines of a stored response.</summary>
internal static partial class StoredResponseLog
{
    [LoggerMessage(43, LogLevel.Error, "A callback that job {id} has registered with OnCompleted threw an exception")]
    public static partial void CallbackFailed(ILogger logger, Guid id, Exception exception);
}
