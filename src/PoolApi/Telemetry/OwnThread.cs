namespace PoolApi.Telemetry;

/// <summary>For what blocks for as long as a collector likes: a thread that may be blocked, and a task to wait for it by.</summary>
internal static class OwnThread
{
    /// <summary>Runs it; its end, or its exception, is the task's. A thread that is still blocked does not keep the process alive.</summary>
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
