namespace PoolApi.Jobs.Running;

/// <summary>An operation of the job store that is measured.</summary>
internal enum StoreOperation
{
    Accept,
    Claim,
    Body,
    Finish,
    HandBack,
    Renew,
    Progress,
    Get,
    Payload,
    FindKey,
    FindChanged,
    Result,
    List,
    Cancel,
    Retry,
    Maintain,
    Count,
    Check,
}

/// <summary>The values of the metrics' label <c>operation</c>.</summary>
internal static class StoreOperations
{
    /// <summary>All of them, so that each counter is exported at 0 before its first operation.</summary>
    public static IReadOnlyList<StoreOperation> All { get; } = Enum.GetValues<StoreOperation>();

    /// <summary>The label's value.</summary>
    public static string Name(this StoreOperation operation) => operation switch
    {
        StoreOperation.Accept => "accept",
        StoreOperation.Claim => "claim",
        StoreOperation.Body => "body",
        StoreOperation.Finish => "finish",
        StoreOperation.HandBack => "hand_back",
        StoreOperation.Renew => "renew",
        StoreOperation.Progress => "progress",
        StoreOperation.Get => "get",
        StoreOperation.Payload => "payload",
        StoreOperation.FindKey => "find_key",
        StoreOperation.FindChanged => "find_changed",
        StoreOperation.Result => "result",
        StoreOperation.List => "list",
        StoreOperation.Cancel => "cancel",
        StoreOperation.Retry => "retry",
        StoreOperation.Maintain => "maintain",
        StoreOperation.Count => "count",
        StoreOperation.Check => "check",
        _ => throw new ArgumentOutOfRangeException(nameof(operation), operation, null),
    };
}
