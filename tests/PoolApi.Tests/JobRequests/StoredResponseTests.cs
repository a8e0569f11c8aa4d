using System.Buffers;
using System.Text;
using PoolApi.Tests.Service;

namespace PoolApi.Tests.JobRequests;

/// <summary>The response to a stored request starts and ends like a response that is sent. No thread blocks on its callbacks.</summary>
public sealed class StoredResponseTests
{
    private static string Text(StoredResponse response) => Encoding.UTF8.GetString(response.Written.Span);

    [Fact]
    public async Task A_synchronous_write_does_not_wait_for_OnStarting_callbacks_but_EndAsync_does()
    {
        using var response = new StoredResponse(100);
        var gate = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        response.OnStarting(async _ =>
        {
            await gate.Task;
            response.StatusCode = 201;
            response.Headers.ContentType = "text/late";
        }, response);
        response.Body.Stream.Write("at once"u8);
        Assert.Equal(("at once", false), (Text(response), response.HasStarted));

        Task end = response.EndAsync();
        Assert.False(end.IsCompleted);
        gate.SetResult();
        await end;

        Assert.Equal((true, 201, "text/late"), (response.HasStarted, response.StatusCode, (string?)response.Headers.ContentType));
    }

    [Fact]
    public async Task A_callback_that_writes_does_not_wait_for_itself()
    {
        using var response = new StoredResponse(100);
        response.OnStarting(async _ =>
        {
            await Task.Yield();
            await response.Body.Stream.WriteAsync("first "u8.ToArray(), ServiceApp.Token);
        }, response);

        await response.Body.Writer.WriteAsync("second"u8.ToArray(), ServiceApp.Token);
        await response.EndAsync();

        Assert.Equal("first second", Text(response));
    }

    [Fact]
    public async Task EndAsync_takes_unflushed_bytes_and_bytes_over_the_limit_always_throw()
    {
        using var response = new StoredResponse(6);
        response.Body.Writer.Write("123456"u8);
        await response.EndAsync();
        Assert.Equal("123456", Text(response));

        Assert.Throws<ResultTooLargeException>(() => response.Body.Stream.WriteByte(7));
        await Assert.ThrowsAsync<ResultTooLargeException>(() => response.Body.Stream.WriteAsync("7"u8.ToArray(), ServiceApp.Token).AsTask());
        using var late = new StoredResponse(5);
        late.Body.Writer.Write("123456"u8);
        await Assert.ThrowsAsync<ResultTooLargeException>(late.EndAsync);
    }

    [Fact]
    public async Task A_truncated_result_fails_even_if_the_handler_catches_the_exception_of_the_write()
    {
        using var response = new StoredResponse(5);
        await response.Body.Stream.WriteAsync("1234"u8.ToArray(), ServiceApp.Token);
        await Assert.ThrowsAsync<ResultTooLargeException>(() => response.Body.Stream.WriteAsync("56"u8.ToArray(), ServiceApp.Token).AsTask());

        await Assert.ThrowsAsync<ResultTooLargeException>(response.EndAsync);
    }

    [Fact]
    public async Task A_failed_OnStarting_callback_fails_every_write_and_EndAsync()
    {
        using var response = new StoredResponse(100);
        response.OnStarting(static _ => throw new InvalidOperationException("mine"), response);

        Assert.Throws<InvalidOperationException>(() => response.Body.Stream.Write("x"u8));
        await Assert.ThrowsAsync<InvalidOperationException>(() => response.Body.Stream.WriteAsync("x"u8.ToArray(), ServiceApp.Token).AsTask());
        await Assert.ThrowsAsync<InvalidOperationException>(response.EndAsync);
        Assert.Empty(response.Written.ToArray());
    }
}
