namespace PoolApi.EndToEnd.Harness.Service;

/// <summary>Runs a theory against <c>ServiceForm.Any</c>, and in long test runs against both forms. It is for code that both forms share, because the
/// other test projects run the same code just-in-time compiled.</summary>
public sealed class OneForm : TheoryData<ServiceForm>
{
    /// <summary>Lists the form.</summary>
    public OneForm()
    {
        if (LongTests.Wanted) AddRange(ServiceForm.FrameworkDependent, ServiceForm.NativeAot);
        else Add(ServiceForm.Any);
    }
}
