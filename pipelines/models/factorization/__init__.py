"""The factorization machine (Rendle, "Factorization Machines", ICDM 2010) whose user side is the user's history.

score(u, i) = b_i + ⟨q_u, p_i⟩ + Σ_k w_k · popularity_k(i) + Σ_r w_r · repeat_r(u, i)
q_u = Σ_j ŵ_j h_j + context vectors;  p_i = v_i + category + brand

    tables      the parameters, and AdaGrad's step
    item_side   item vectors, and what is the same for everybody
    user_side   what a user's past says: weights of the history, repeat terms
    examples    from a micro-batch to examples and negatives
    loss        sampled softmax, and its gradient by the scores
    gradient    from there back to the tables
    item_scores what every list needs of the items, made once after a step
    pruning     the best items of a large catalogue from few candidates
    kept        both of these from one list to the next
    machine     all of it as a Scorer
"""
