namespace PoolApi.Threading.Core.Calls;

/// <summary>Runs a call's work on the calling worker, as part of the item that it runs already.</summary>
internal static class InPlace<TResult>
{
    public static TResult Invoke<TWork>(in TWork work)
        where TWork : struct, IWork<TResult> => work.Invoke(Worker.Current!.Ledger.Item!);
}
