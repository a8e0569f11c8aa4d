namespace PoolApi.Telemetry;

/// <summary>Runs blocking calls to a collector on a thread of their own, with a task that completes at their end.</summary>
internal static class OwnThread
{
    /// <summary>Runs the call. The task ends with it, or with its exception. A thread that is still blocked does not keep the process alive.</summary>
    public static Task Run(string name, Action blocking)
    {
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var thread = new Thread(() =>
        {
            try
            {
                blocking();
                done.SetResult();
            }
            catch (Exception e)
            {
                done.SetException(e);
            }
        })
        { IsBackground = true, Name = name };
        thread.UnsafeStart();
        return done.Task;
    }
}
